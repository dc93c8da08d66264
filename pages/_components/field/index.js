const BLUE = [70, 102, 232],
  ORANGE = [207, 116, 66];
// An array of numbers from base64.
export const decode = (text, Kind) =>
  new Kind(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);
// A number in a few characters, with a true minus sign.
export const show = (v) =>
  (v === 0
    ? '0'
    : Math.abs(v) >= 1e4 || Math.abs(v) < 1e-3
      ? v.toExponential(1)
      : v.toPrecision(3)
  ).replaceAll('-', '\u2212');
// What entry `at` of an array of this shape is called.
export const name = (at, shape) => {
  if (shape.length === 1) return `${at}`;
  if (shape.length === 2) return `row ${Math.floor(at / shape[1])}, column ${at % shape[1]}`;
  const [, width, maps] = shape;
  const place = Math.floor(at / maps);
  return `map ${at % maps}, row ${Math.floor(place / width)}, column ${place % width}`;
};

// The cell of a grid under a pointer, `box` being the grid's on the page; -1 outside.
export const cellUnder = (event, box, columns, rows) => {
  const x = Math.floor((columns * (event.clientX - box.left)) / box.width);
  const y = Math.floor((rows * (event.clientY - box.top)) / box.height);
  return x >= 0 && y >= 0 && x < columns && y < rows ? y * columns + x : -1;
};

export default function ({ data, parentElement, setTriggerValue }) {
  const said = JSON.parse(new TextDecoder().decode(data));
  const { shape, rows, columns, most, ink, picked, label, written, fixed } = said;
  const values = decode(said.values, Float32Array),
    cells = decode(said.cells, Int32Array);
  const find = (name) => parentElement.querySelector(name);
  const few = find('.few'),
    many = find('.many'),
    canvas = find('canvas');
  const read = (at) => `${name(at, shape)}: ${show(values[at])}`;
  const say = (at) => {
    find('output').textContent = at >= 0 ? read(at) : '';
  };
  const shade = (v) =>
    `rgb(${(v > 0 ? BLUE : ORANGE).join(' ')} / ` +
    `${Math.round(62 * Math.min(1, Math.abs(v) / most))}%)`;
  const choose = (at) => {
    if (at >= 0) {
      say(at);
      setTriggerValue('picked', at);
    }
  };
  few.style.display = written ? 'grid' : 'none';
  many.style.display = written ? 'none' : 'block';
  find('output').style.display = written ? 'none' : 'block';
  if (written) {
    few.style.gridTemplateColumns = fixed
      ? `repeat(${columns}, minmax(0, 1fr))`
      : 'repeat(auto-fill, minmax(58px, 1fr))';
    few.setAttribute('role', 'group');
    few.setAttribute('aria-label', label);
    while (few.children.length > cells.length) few.lastChild.remove();
    while (few.children.length < cells.length) {
      const cell = Object.assign(document.createElement('button'), { type: 'button' });
      cell.append(document.createElement('small'), document.createTextNode(''));
      few.append(cell);
    }
    [...few.children].forEach((cell, i) => {
      const at = cells[i];
      cell.style.visibility = at < 0 ? 'hidden' : 'visible';
      if (at < 0) return;
      cell.firstChild.textContent = fixed ? '' : at;
      cell.lastChild.textContent = show(values[at]);
      cell.setAttribute('aria-label', read(at));
      cell.title = read(at);
      cell.setAttribute('aria-pressed', at === picked);
      cell.style.background = shade(values[at]);
      cell.onclick = () => choose(at);
    });
    return;
  }
  canvas.width = columns;
  canvas.height = rows;
  many.style.width = `min(100%, ${said.width}px)`;
  canvas.setAttribute('aria-label', label);
  canvas.setAttribute('role', 'img');
  const image = new ImageData(columns, rows);
  cells.forEach((at, i) => {
    if (at < 0) return;
    const v = values[at];
    const share = Math.min(1, Math.abs(v) / most);
    const color = ink ? [1, 1, 1].map(() => 255 * share) : v > 0 ? BLUE : ORANGE;
    image.data.set([...color, ink ? 255 : 255 * share], 4 * i);
  });
  canvas.getContext('2d').putImageData(image, 0, 0);
  const frame = find('i'),
    place = cells.indexOf(picked);
  frame.style.display = place < 0 ? 'none' : 'block';
  if (place >= 0) {
    frame.style.left = `${(100 * ((place % columns) + 0.5)) / columns}%`;
    frame.style.top = `${(100 * (Math.floor(place / columns) + 0.5)) / rows}%`;
    frame.style.width = `calc(${100 / columns}% + 3px)`;
    frame.style.height = `calc(${100 / rows}% + 3px)`;
  }
  say(picked);
  const under = (event) => {
    const cell = cellUnder(event, canvas.getBoundingClientRect(), columns, rows);
    return cell < 0 ? -1 : cells[cell];
  };
  canvas.onpointermove = (event) => say(under(event));
  canvas.onpointerleave = () => say(picked);
  canvas.onclick = (event) => choose(under(event));
  const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns };
  canvas.onkeydown = (event) => {
    if (!steps[event.key]) return;
    event.preventDefault();
    const next = cells[Math.max(place, 0) + steps[event.key]];
    if (next !== undefined) choose(next);
  };
}
