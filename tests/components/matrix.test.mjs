import assert from 'node:assert/strict';
import test from 'node:test';
import { load } from './load.mjs';

const { moved, shade } = await load('matrix');

test('arrow keys go from cell to cell and stop at the edges', () => {
  assert.equal(moved(44, 'ArrowLeft'), 43);
  assert.equal(moved(44, 'ArrowDown'), 54);
  assert.equal(moved(4, 'ArrowUp'), -1);
  assert.equal(moved(95, 'ArrowDown'), -1);
});

test('the end of a row does not lead to the next one', () => {
  assert.equal(moved(49, 'ArrowRight'), -1);
  assert.equal(moved(50, 'ArrowLeft'), -1);
  assert.equal(moved(0, 'ArrowLeft'), -1);
  assert.equal(moved(99, 'ArrowRight'), -1);
});

test('other keys, and a key with no cell in focus, do nothing', () => {
  assert.equal(moved(44, 'Enter'), -1);
  assert.equal(moved(-1, 'ArrowRight'), -1);
});

test('even a single mistake is seen, and the most of them is not the bare accent', () => {
  assert.equal(shade(0), 4);
  assert.equal(shade(1), 70);
});
