// How far an arrow key goes in a grid of so many columns; 0 for any other key.
export const stepOf = (key, columns) =>
  ({ ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns })[key] ?? 0;

// Where a step leads among `count` tiles; null if it leads beyond them.
export const moved = (at, step, count) => (at + step < 0 || at + step >= count ? null : at + step);

// Where tile i of the sprite lies, as CSS wants it: in percent of what is left over.
export const placeOf = (i, columns, rows) => {
  const share = (n, of) => (of > 1 ? (100 * n) / (of - 1) : 0);
  return `${share(i % columns, columns)}% ${share(Math.floor(i / columns), rows)}%`;
};

export default function ({ data, parentElement, setTriggerValue }) {
  const grid = parentElement.querySelector('.grid');
  const { sprite, columns, rows, labels, titles, indices, marks, picked, roams } = JSON.parse(
    new TextDecoder().decode(data),
  );
  const focused = () => grid.contains(grid.getRootNode().activeElement);
  while (grid.children.length > labels.length) grid.lastChild.remove();
  while (grid.children.length < labels.length) {
    const tile = document.createElement('button');
    tile.type = 'button';
    tile.setAttribute('role', 'option');
    tile.append(document.createElement('span'));
    grid.append(tile);
  }
  [...grid.children].forEach((tile, i) => {
    tile.style.backgroundImage = `url(${sprite})`;
    tile.style.backgroundSize = `${100 * columns}% ${100 * rows}%`;
    tile.style.backgroundPosition = placeOf(i, columns, rows);
    tile.firstChild.textContent = marks[i];
    tile.title = `index ${indices[i]}, ${titles[i]}`;
    tile.setAttribute('aria-label', tile.title);
    tile.onclick = () => setTriggerValue('picked', indices[i]);
  });
  const select = (at) =>
    [...grid.children].forEach((tile, i) => {
      tile.setAttribute('aria-selected', i === at);
      tile.tabIndex = i === Math.max(at, 0) ? 0 : -1;
    });
  let at = indices.indexOf(picked),
    sending;
  select(at);
  if (focused() && at >= 0) grid.children[at].focus();
  // A key held down moves at once here, and tells the server when it rests.
  const move = (step) => {
    const from = at;
    clearTimeout(sending);
    const next = moved(at, step, indices.length);
    if (next === null) {
      if (roams) setTriggerValue('left', [indices[from], step]);
      return;
    }
    at = next;
    select(at);
    if (focused()) grid.children[at].focus();
    sending = setTimeout(() => setTriggerValue('picked', indices[at]), 90);
  };
  const wide = () => getComputedStyle(grid).gridTemplateColumns.split(' ').length;
  const onkey = (event) => {
    const step = stepOf(event.key, wide());
    if (!step || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation();
    move(step);
  };
  // With nothing else in focus, left and right belong to the digit that is shown.
  const onpage = (event) => {
    if (event.target === document.body && /^Arrow(Left|Right)$/.test(event.key)) onkey(event);
  };
  grid.onkeydown = onkey;
  document.removeEventListener('keydown', grid.onpage);
  grid.onpage = roams ? onpage : null;
  if (roams) document.addEventListener('keydown', onpage);
  return () => document.removeEventListener('keydown', grid.onpage);
}
