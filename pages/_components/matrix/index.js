const SIDE = 10;

// The cell that an arrow key leads to from cell `from`, row by row; -1 beyond the edges.
export const moved = (from, key) => {
  const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -SIDE, ArrowDown: SIDE }[key];
  const to = from + step;
  const rowOf = (at) => Math.floor(at / SIDE);
  if (from < 0 || !(to >= 0 && to < SIDE * SIDE)) return -1;
  return Math.abs(step) === 1 && rowOf(from) !== rowOf(to) ? -1 : to;
};

// The share of the accent colour, in percent, that shades a cell of this strength, 0 to 1.
export const shade = (strength) => 4 + 66 * strength;

export default function ({ data, parentElement, setTriggerValue }) {
  const { texts, strengths, titles, picked, across } = JSON.parse(new TextDecoder().decode(data));
  parentElement.querySelector('.across').textContent = across;
  const matrix = parentElement.querySelector('.matrix');
  const head = (text) => Object.assign(document.createElement('b'), { textContent: text });
  if (!matrix.children.length) {
    matrix.append(head(''), ...texts.map((_, i) => head(i)));
    texts.forEach((row, i) =>
      matrix.append(
        head(i),
        ...row.map(() => Object.assign(document.createElement('button'), { type: 'button' })),
      ),
    );
  }
  [...matrix.querySelectorAll('button')].forEach((cell, at) => {
    const i = Math.floor(at / SIDE),
      j = at % SIDE;
    cell.textContent = texts[i][j];
    cell.title = titles[i][j];
    cell.setAttribute('aria-label', titles[i][j]);
    const chosen = i === picked[0] && j === picked[1];
    cell.setAttribute('aria-pressed', chosen);
    cell.tabIndex = chosen ? 0 : -1; // one stop of the Tab key; arrows go from cell to cell
    cell.style.background =
      i === j
        ? 'transparent'
        : `color-mix(in srgb, var(--st-primary-color) ${shade(strengths[i][j])}%, transparent)`;
    cell.onclick = () => {
      matrix.querySelector('[aria-pressed=true]')?.setAttribute('aria-pressed', false);
      cell.setAttribute('aria-pressed', true);
      setTriggerValue('picked', [i, j]);
    };
  });
  matrix.onkeydown = (event) => {
    const cells = [...matrix.querySelectorAll('button')];
    const from = cells.indexOf(matrix.getRootNode().activeElement);
    const to = moved(from, event.key);
    if (to < 0) return;
    event.preventDefault();
    cells[from].tabIndex = -1;
    cells[to].tabIndex = 0;
    cells[to].focus();
  };
}
