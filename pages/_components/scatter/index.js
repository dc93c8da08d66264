const SIDE = 28,
  PAD = 14;

// The line around what a drag has gone over: its path, or the box between its ends.
export const outline = (path, mode) => {
  const [a, b] = path[0],
    [c, d] = path[path.length - 1];
  return mode === 'box'
    ? [
        [a, b],
        [c, b],
        [c, d],
        [a, d],
      ]
    : path;
};

// Whether a spot lies inside a polygon, by the even-odd rule.
export const inside = ([px, py], polygon) => {
  let odd = false;
  for (let i = 0, j = polygon.length - 1; i < polygon.length; j = i++) {
    const [ax, ay] = polygon[i],
      [bx, by] = polygon[j];
    if (ay > py !== by > py && px < ((bx - ax) * (py - ay)) / (by - ay) + ax) odd = !odd;
  }
  return odd;
};

// The place nearest to a spot among those that are seen, closer than `within`; -1 if there is none.
export const nearestOf = (places, [px, py], within, seen) => {
  let best = -1,
    least = within * within;
  places.forEach(([x, y], i) => {
    const distance = (x - px) ** 2 + (y - py) ** 2;
    if (distance < least && seen(i)) [best, least] = [i, distance];
  });
  return best;
};

// The next place in a direction [dx, dy]: near, and not far off the straight way; -1 at the edge.
export const onward = (places, from, [dx, dy], seen) => {
  let best = -1,
    least = Infinity;
  places.forEach(([x, y], i) => {
    const a = x - places[from][0],
      b = y - places[from][1],
      along = a * dx + b * dy;
    const cost = Math.hypot(a, b) + 3 * Math.abs(a * dy - b * dx);
    if (i !== from && along > 0 && cost < least && seen(i)) [best, least] = [i, cost];
  });
  return best;
};

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement,
    find = (s) => root.querySelector(s);
  const map = find('.map'),
    pen = map.getContext('2d');
  const tip = find('.tip'),
    small = tip.querySelector('canvas').getContext('2d');
  const given = JSON.parse(new TextDecoder().decode(data));
  const { labels, indices, colors, columns, picked, split, title } = given;
  const raw = Uint8Array.from(atob(given.points), (c) => c.charCodeAt(0));
  const points = new Float32Array(raw.buffer);
  const n = labels.length;
  // What outlives a redraw by the server: the visitor's way of looking.
  const kept = (root.kept ??= {
    pictures: false,
    off: new Set(),
    chosen: new Set(),
    mode: matchMedia('(pointer: coarse)').matches ? 'look' : 'lasso',
  });
  kept.chosen = new Set(given.chosen);
  let width = 0,
    height = 0,
    hover = -1,
    drag = null,
    tinted = null;
  const sprite = new Image();
  map.setAttribute('aria-label', title);

  const x = (i) => PAD + points[2 * i] * (width - 2 * PAD);
  const y = (i) => PAD + (1 - points[2 * i + 1]) * (height - 2 * PAD);
  const style = (name) => getComputedStyle(root.host ?? root).getPropertyValue(name);

  function tint() {
    // the digits in their colours, ink on nothing
    const sheet = document.createElement('canvas');
    sheet.width = sprite.width;
    sheet.height = sprite.height;
    const ink = sheet.getContext('2d');
    ink.drawImage(sprite, 0, 0);
    const all = ink.getImageData(0, 0, sheet.width, sheet.height),
      p = all.data;
    const rgb = colors.map((c) => [1, 3, 5].map((k) => parseInt(c.slice(k, k + 2), 16)));
    const inRow = sheet.width;
    for (let at = 0; at < inRow * sheet.height; at++) {
      const cell = Math.floor(at / inRow / SIDE) * columns + Math.floor((at % inRow) / SIDE);
      if (cell >= n) continue;
      const [r, g, b] = rgb[labels[cell]];
      p[4 * at + 3] = p[4 * at];
      p[4 * at] = r;
      p[4 * at + 1] = g;
      p[4 * at + 2] = b;
    }
    ink.putImageData(all, 0, 0);
    return sheet;
  }

  function cut(pen, sheet, i, left, top, size) {
    pen.drawImage(
      sheet,
      (i % columns) * SIDE,
      Math.floor(i / columns) * SIDE,
      SIDE,
      SIDE,
      left,
      top,
      size,
      size,
    );
  }

  function draw() {
    pen.clearRect(0, 0, width, height);
    const size = Math.max(12, Math.min(22, width / 42));
    const dot = width < 500 ? 2.2 : 3;
    for (let i = 0; i < n; i++) {
      if (kept.off.has(labels[i])) continue;
      pen.globalAlpha = kept.chosen.size && !kept.chosen.has(i) ? 0.16 : 0.85;
      if (kept.pictures && tinted) {
        cut(pen, tinted, i, x(i) - size / 2, y(i) - size / 2, size);
      } else {
        pen.fillStyle = colors[labels[i]];
        pen.beginPath();
        pen.arc(x(i), y(i), dot, 0, 7);
        pen.fill();
      }
    }
    pen.globalAlpha = 1;
    pen.strokeStyle = style('--st-text-color');
    for (const i of new Set([picked, hover])) {
      if (i === null || i < 0) continue;
      pen.lineWidth = i === picked ? 2.5 : 1.5;
      const radius = kept.pictures ? size / 2 + 2 : 7;
      pen.beginPath();
      pen.arc(x(i), y(i), radius, 0, 7);
      pen.stroke();
    }
    if (drag?.path.length > 1) {
      pen.lineWidth = 1.5;
      pen.strokeStyle = style('--st-primary-color');
      pen.fillStyle = style('--st-primary-color');
      pen.beginPath();
      outline(drag.path, kept.mode).forEach(([a, b], k) =>
        k ? pen.lineTo(a, b) : pen.moveTo(a, b),
      );
      pen.closePath();
      pen.stroke();
      pen.globalAlpha = 0.1;
      pen.fill();
      pen.globalAlpha = 1;
    }
  }

  const seen = (i) => !kept.off.has(labels[i]);
  const places = () => Array.from({ length: n }, (_, i) => [x(i), y(i)]);
  const nearest = (spot, within) => nearestOf(places(), spot, within, seen);

  function show(i) {
    hover = i;
    tip.hidden = i < 0;
    if (i >= 0 && sprite.complete) {
      small.fillRect(0, 0, SIDE, SIDE);
      cut(small, sprite, i, 0, 0, SIDE);
      const index = indices[i].toLocaleString('en');
      tip.lastElementChild.textContent = `${labels[i]} · ${split} ${index}`;
      const left = x(i) + 14 + 110 > width ? x(i) - 14 - 100 : x(i) + 14;
      tip.style.left = `${Math.max(2, left)}px`;
      tip.style.top = `${Math.max(2, Math.min(height - 122, y(i) - 60))}px`;
    }
    draw();
  }

  const at = (e) => {
    const r = map.getBoundingClientRect();
    return [e.clientX - r.left, e.clientY - r.top];
  };
  map.onpointerdown = (e) => {
    map.setPointerCapture(e.pointerId);
    drag = { path: [at(e)], mouse: e.pointerType === 'mouse' };
  };
  map.onpointermove = (e) => {
    const spot = at(e);
    if (drag && kept.mode !== 'look') {
      const [a, b] = drag.path[drag.path.length - 1];
      if (Math.hypot(spot[0] - a, spot[1] - b) > 3) drag.path.push(spot);
      if (drag.path.length > 1) {
        tip.hidden = true;
        hover = -1;
        draw();
        return;
      }
    }
    show(nearest(spot, 16));
  };
  map.onpointerup = (e) => {
    if (!drag) return;
    if (drag.path.length > 2 || (kept.mode === 'box' && drag.path.length > 1)) {
      const polygon = outline(drag.path, kept.mode),
        found = [];
      for (let i = 0; i < n; i++) if (seen(i) && inside([x(i), y(i)], polygon)) found.push(i);
      kept.chosen = new Set(found);
      setTriggerValue('selected', found);
    } else {
      const i = nearest(at(e), drag.mouse ? 16 : 26);
      show(i);
      if (i >= 0) setTriggerValue('picked', i);
    }
    drag = null;
    draw();
  };
  map.onpointercancel = () => {
    drag = null;
    draw();
  };
  map.onpointerleave = () => {
    if (!drag) show(-1);
  };
  map.onkeydown = (e) => {
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if (e.key === 'Enter' && hover >= 0) setTriggerValue('picked', hover);
    if (e.key === 'Escape' && kept.chosen.size) setTriggerValue('selected', []);
    if (!way[e.key]) return;
    e.preventDefault();
    const from = hover >= 0 ? hover : (picked ?? 0),
      [dx, dy] = way[e.key];
    const best = onward(places(), from, [dx, dy], seen);
    if (best >= 0) show(best);
  };

  root.querySelectorAll('.modes button').forEach((button) => {
    const set = () =>
      root
        .querySelectorAll('.modes button')
        .forEach((other) => other.setAttribute('aria-pressed', other.dataset.mode === kept.mode));
    button.onclick = () => {
      kept.mode = button.dataset.mode;
      set();
      map.style.touchAction = kept.mode === 'look' ? 'pan-y' : 'none';
    };
    set();
  });
  map.style.touchAction = kept.mode === 'look' ? 'pan-y' : 'none';
  const pictures = find('.pictures');
  pictures.checked = kept.pictures;
  pictures.onchange = () => {
    kept.pictures = pictures.checked;
    draw();
  };
  find('.legend').replaceChildren(
    ...colors.map((color, label) => {
      const button = document.createElement('button'),
        dot = document.createElement('i');
      dot.style.background = color;
      button.append(dot, String(label));
      button.title = `show or hide the ${label}s`;
      const set = () => button.setAttribute('aria-pressed', !kept.off.has(label));
      button.onclick = () => {
        kept.off.has(label) ? kept.off.delete(label) : kept.off.add(label);
        set();
        draw();
      };
      set();
      return button;
    }),
  );

  const fit = () => {
    width = map.clientWidth;
    if (!width) return;
    height = Math.round(Math.min(0.72 * width, 620, Math.max(320, width)));
    if (width < 500) height = Math.round(width * 1.05);
    const ratio = window.devicePixelRatio || 1;
    map.style.height = `${height}px`;
    map.width = width * ratio;
    map.height = height * ratio;
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    draw();
  };
  sprite.onload = () => {
    tinted = tint();
    draw();
  };
  sprite.src = given.sprite;
  const watch = new ResizeObserver(fit);
  watch.observe(map);
  fit();
  return () => watch.disconnect();
}
