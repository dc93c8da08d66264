import assert from 'node:assert/strict';
import test from 'node:test';
import { load } from './load.mjs';

const { cellUnder, decode, name, show } = await load('field');

test('numbers are short, and their minus is a minus', () => {
  const said = [0, 1, -0.25, 123.456, 12345, -0.00001].map(show);
  assert.deepEqual(said, ['0', '1.00', '−0.250', '123', '1.2e+4', '−1.0e−5']);
});

test('values come as the bytes that Python packed', () => {
  const bytes = Buffer.from(new Float32Array([0.5, -2]).buffer).toString('base64');
  assert.deepEqual([...decode(bytes, Float32Array)], [0.5, -2]);
});

test('an entry is called by its place in the array', () => {
  assert.equal(name(7, [10]), '7');
  assert.equal(name(29, [28, 28]), 'row 1, column 1');
  // (row 2, column 3, map 1) of maps (5, 4, 6), maps last as in NumPy
  assert.equal(name((2 * 4 + 3) * 6 + 1, [5, 4, 6]), 'map 1, row 2, column 3');
});

test('a pointer is over one cell, or over none', () => {
  const box = { left: 10, top: 20, width: 100, height: 50 };
  const at = (x, y) => cellUnder({ clientX: x, clientY: y }, box, 10, 5);
  assert.equal(at(10, 20), 0);
  assert.equal(at(25, 35), 11);
  assert.equal(at(109.9, 69.9), 49);
  assert.deepEqual([at(9, 30), at(110, 30), at(50, 19), at(50, 70)], [-1, -1, -1, -1]);
});
