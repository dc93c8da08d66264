// How far a strip is scrolled when a station of it stands in its middle.
export const middleOf = (station, strip) =>
  station.offsetLeft - (strip.clientWidth - station.offsetWidth) / 2;

export default function ({ data, parentElement, setTriggerValue }) {
  const graph = parentElement.querySelector('.graph');
  const drawn = new TextDecoder().decode(data);
  const before = graph.querySelector('.strip')?.scrollLeft ?? 0;
  if (graph.drawn !== drawn) graph.innerHTML = JSON.parse(drawn);
  graph.drawn = drawn;
  graph.onclick = (event) => {
    const hit = event.target.closest('[data-step]');
    if (hit) setTriggerValue('picked', Number(hit.dataset.step));
  };
  const strip = graph.querySelector('.strip'),
    now = graph.querySelector('.station.now');
  if (!strip || !now) return;
  strip.scrollLeft = before;
  strip.scrollTo({ left: middleOf(now, strip), behavior: 'smooth' });
}
