const LEFT = 44,
  RIGHT = 8,
  LANE = 13, // pixels of a row of labels, above the curves
  LANES = 2,
  TOP = 4 + LANE * LANES,
  BOTTOM = 22,
  LETTER = 5.6; // pixels of a letter of a label, on average
const KEPT = 'mnist-lab-curves';

// A number on an axis: short, whatever it is.
export const say = (value) => {
  if (value !== 0 && (Math.abs(value) >= 1e5 || Math.abs(value) < 1e-4))
    return value.toExponential(0).replace('e+', 'e').replace('-', '−');
  return String(Number(value.toPrecision(6))).replace('-', '−');
};

// Round numbers within low … high, some `about` of them; on a log scale 1, 2 and 5 of each decade.
export const ticks = (low, high, about, log = false) => {
  if (!(high > low)) return [low];
  const found = [];
  if (log) {
    const decades = Math.log10(high / low);
    const steps = decades < 2.2 ? [1, 2, 5] : [1];
    for (let e = Math.floor(Math.log10(low)); e <= Math.ceil(Math.log10(high)); e++)
      for (const m of steps) {
        const value = Number(`${m}e${e}`);
        if (value >= low * 0.999 && value <= high * 1.001) found.push(value);
      }
    const skip = Math.ceil(found.length / (about + 2));
    return found.filter((_, i) => i % skip === 0);
  }
  const rough = (high - low) / about,
    power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= rough * 0.999);
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++)
    found.push(Number((i * step).toPrecision(12)));
  return found;
};

// What the axis of some values shows: all of them, but of the smoothed line only what comes after
// its first tenth, where a run falls from what a network guesses.
export const domain = ({ line, points }, kind) => {
  const settled = line.length > 10 ? line.slice(Math.ceil(line.length / 10)) : line;
  const all = [...settled, ...points].filter(Number.isFinite);
  if (!all.length) return kind === 'log' ? [0.01, 1] : [0, 1];
  let low = Math.min(...all),
    high = Math.max(...all);
  if (kind === 'log') {
    const positive = all.filter((v) => v > 0);
    low = positive.length ? Math.min(...positive) : 0.001;
    high = Math.max(high, low);
    return [low / 1.25, Math.max(high * 1.25, low * 2)];
  }
  if (kind === 'loss') return [0, high * 1.06 || 1];
  const pad = Math.max(0.08 * (high - low), 0.004);
  return [Math.max(0, low - pad), Math.min(1, high + pad)];
};

// Labels at places x that never touch: each gets a row, or none and goes unsaid. The label of a
// line near the right edge stands to its left.
export const lanes = (marks, width) => {
  const ends = Array(LANES).fill(-Infinity);
  return marks.map(({ x, text }) => {
    const length = text.length * LETTER + 6;
    const flipped = x + 3 + length > width;
    const from = flipped ? Math.max(0, x - 3 - length) : x + 3;
    const lane = ends.findIndex((end) => end <= from);
    if (lane >= 0) ends[lane] = from + length;
    return { x, text, from, length, lane };
  });
};

// The index of the place nearest to x; -1 if there is none. `places` rise.
export const nearest = (places, x) => {
  let best = -1;
  places.forEach((place, i) => {
    if (best < 0 || Math.abs(place - x) <= Math.abs(places[best] - x)) best = i;
  });
  return best;
};

const finite = (xs, ys) => xs.map((x, i) => [x, ys[i]]).filter(([, y]) => Number.isFinite(y));
const percent = (share) => (share === null ? 'no number' : `${(100 * share).toFixed(2)} %`);
const nats = (loss) =>
  loss === null ? 'no number' : Math.abs(loss) >= 1e5 ? say(loss) : loss.toFixed(4);

// What the crosshair tells at x: training and validation side by side.
export const told = (data, x) => {
  const t = nearest(data.train.x, x),
    v = nearest(data.validation.x, x);
  const where =
    data.unit === 'batch' ? `batch ${Math.round(x).toLocaleString('en')}` : `epoch ${x.toFixed(2)}`;
  const said = [[where, '']];
  if (t >= 0)
    said.push([
      'training',
      `loss ${nats(data.train.loss[t])}, accuracy ${percent(data.train.accuracy[t])}`,
    ]);
  if (v >= 0)
    said.push([
      'validation',
      `loss ${nats(data.validation.loss[v])}, accuracy ${percent(data.validation.accuracy[v])}, ` +
        `after epoch ${data.validation.epoch[v]}`,
    ]);
  return said;
};

const metric = (name, switches) =>
  name === 'loss'
    ? { of: (d) => d.loss, kind: switches.log ? 'log' : 'loss', label: say }
    : switches.error
      ? {
          of: (d) => d.accuracy.map((a) => (a === null ? null : 1 - a)),
          kind: 'log',
          label: (v) => `${say(100 * v)} %`,
        }
      : { of: (d) => d.accuracy, kind: 'accuracy', label: (v) => `${say(100 * v)} %` };

const drawn = (data, name, switches, width, height, at) => {
  const { of, kind, label } = metric(name, switches);
  const w = Math.max(40, width - LEFT - RIGHT),
    h = height - TOP - BOTTOM;
  const [low, high] = domain(
    { line: of(data.train), points: [...of(data.epochs), ...of(data.validation)] },
    kind,
  );
  const [first, last] = data.x;
  const X = (x) => LEFT + ((x - first) / (last - first || 1)) * w;
  const flat = (y) => (kind === 'log' ? Math.log(Math.max(y, low / 2)) : y);
  const Y = (y) => TOP + h * (1 - (flat(y) - flat(low)) / (flat(high) - flat(low) || 1));
  const close = data.unit === 'batch';
  const path = (part) =>
    finite(part.x, of(part))
      .map(([x, y], i) => `${i ? 'L' : 'M'}${X(x).toFixed(1)} ${Y(y).toFixed(1)}`)
      .join('');
  const dots = (part) =>
    finite(part.x, of(part))
      .map(([x, y]) => `M${X(x).toFixed(1)} ${Y(y).toFixed(1)}h0`)
      .join('');
  const circle = (kind, r) => (place) =>
    `<circle class="${kind}" cx="${X(place[0])}" cy="${Y(place[1])}" r="${r}"/>`;
  const across = ticks(first, last, Math.max(2, w / 60)).filter(
    (x) => !close || Number.isInteger(x),
  );
  const labels = lanes(
    data.marks.map((m) => ({ ...m, x: X(m.x) - LEFT })).filter((m) => m.x >= 0 && m.x <= w),
    w,
  );
  const best = data.best === null ? -1 : data.validation.epoch.indexOf(data.best);
  const star = best < 0 ? null : [data.validation.x[best], of(data.validation)[best]];
  const cross = at === null || at < first || at > last ? null : X(at);
  return `
    <defs><clipPath id="plot-${name}"><rect x="${LEFT}" y="${TOP - 3}" width="${w + RIGHT}" height="${h + 6}"/></clipPath></defs>
    ${ticks(low, high, 4, kind === 'log')
      .map(
        (y) =>
          `<line class="grid" x1="${LEFT}" x2="${LEFT + w}" y1="${Y(y)}" y2="${Y(y)}"/>` +
          `<text class="y" text-anchor="end" x="${LEFT - 6}" y="${Y(y) + 3.5}">${label(y)}</text>`,
      )
      .join('')}
    ${across
      .map(
        (x) =>
          `<text class="x" text-anchor="middle" x="${Math.min(X(x), LEFT + w - 8)}" y="${height - 8}">${x.toLocaleString('en')}</text>`,
      )
      .join('')}
    <text class="unit" x="2" y="${height - 8}">${data.unit}</text>
    ${labels.map((m) => `<line class="mark" x1="${LEFT + m.x}" x2="${LEFT + m.x}" y1="${TOP - 2}" y2="${TOP + h}"/>`).join('')}
    ${labels
      .filter((m) => m.lane >= 0)
      .map(
        (m) =>
          `<text class="said" x="${LEFT + m.from}" y="${TOP - 5 - LANE * m.lane}">${m.text}</text>`,
      )
      .join('')}
    <g clip-path="url(#plot-${name})">
      <path class="dots train" stroke-opacity="${close ? 0.9 : 0.28}" stroke-width="${close ? 7 : 3}" d="${dots(data.batches)}"/>
      <path class="line train" stroke-opacity="${close ? 0.4 : 1}" d="${path(data.train)}"/>
      <path class="line validation" d="${path(data.validation)}"/>
      ${finite(data.epochs.x, of(data.epochs)).map(circle('ring train', 3.5)).join('')}
      ${finite(data.validation.x, of(data.validation)).map(circle('disc', 3.5)).join('')}
      ${star && Number.isFinite(star[1]) ? `<path class="best" d="M${X(star[0])} ${Y(star[1]) - 7}l7 7l-7 7l-7 -7z"/>` : ''}
      ${cross === null ? '' : `<line class="cross" x1="${cross}" x2="${cross}" y1="${TOP}" y2="${TOP + h}"/>`}
    </g>`;
};

const legend = (data) =>
  data.train.x.length
    ? [
        [
          'training',
          data.unit === 'batch' ? 'each batch' : 'a few steps each, smoothed; rings: whole epochs',
        ],
        [
          'validation',
          data.best === null ? 'after each epoch' : 'after each epoch, the best one a diamond',
        ],
      ]
    : [['', 'Curves begin with the first batch.']];

const remembered = () => {
  try {
    return JSON.parse(localStorage.getItem(KEPT)) ?? {};
  } catch {
    return {}; // a browser may refuse to remember
  }
};

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector('.curves');
  const plots = root.querySelector('.plots'),
    readout = root.querySelector('.readout');
  // What outlives an update: where the crosshair stands, and what is switched on.
  root.own ??= { at: null, switches: remembered() };
  const { own } = root;
  own.data = JSON.parse(new TextDecoder().decode(data));

  const say = (said) =>
    readout.replaceChildren(
      ...said.flatMap(([who, words], i) => {
        const name = Object.assign(document.createElement('i'), {
          textContent: who,
          className: who === 'training' ? 'train' : who,
        });
        return [i ? ' · ' : '', name, who && words ? ' ' : '', words];
      }),
    );
  const draw = () => {
    for (const name of ['loss', 'accuracy']) {
      const svg = root.querySelector(`.${name} svg`);
      const { width, height } = svg.getBoundingClientRect();
      if (width) svg.innerHTML = drawn(own.data, name, own.switches, width, height, own.at);
    }
    root.querySelector('.accuracy b').textContent = own.switches.error ? 'Error rate' : 'Accuracy';
    for (const button of root.querySelectorAll('button'))
      button.setAttribute('aria-pressed', Boolean(own.switches[button.dataset.switch]));
    plots.setAttribute('aria-label', `${own.data.summary} Arrow keys move along the run.`);
    say(own.at === null ? legend(own.data) : told(own.data, own.at));
  };
  const follow = (event) => {
    const svg = event.target.closest?.('svg');
    if (!svg) return;
    const { left, width } = svg.getBoundingClientRect();
    const share = (event.clientX - left - LEFT) / (width - LEFT - RIGHT);
    const [first, last] = own.data.x;
    own.at = first + Math.min(1, Math.max(0, share)) * (last - first);
    draw();
  };
  plots.onpointermove = follow;
  plots.onpointerdown = follow;
  plots.onpointerleave = (event) => {
    if (event.pointerType !== 'mouse') return; // a finger that lifts leaves the crosshair
    own.at = null;
    draw();
  };
  plots.onkeydown = (event) => {
    const way = { ArrowLeft: -1, ArrowRight: 1, Escape: 0 }[event.key];
    if (way === undefined || event.target !== plots) return;
    const [first, last] = own.data.x;
    const from = own.at ?? (way < 0 ? last : first);
    own.at = way ? Math.min(last, Math.max(first, from + (way * (last - first)) / 40)) : null;
    readout.setAttribute('aria-live', 'polite'); // only for whoever moves it by keys
    event.preventDefault();
    draw();
  };
  for (const button of root.querySelectorAll('button'))
    button.onclick = () => {
      own.switches[button.dataset.switch] = !own.switches[button.dataset.switch];
      try {
        localStorage.setItem(KEPT, JSON.stringify(own.switches));
      } catch {} // as above
      draw();
    };
  own.watch ??= new ResizeObserver(() => own.draw());
  own.draw = draw;
  own.watch.observe(plots);
  draw();
  return () => own.watch.disconnect();
}
