import assert from 'node:assert/strict';
import test from 'node:test';
import { load } from './load.mjs';

const { moved, placeOf, stepOf } = await load('digit_grid');

test('arrow keys go one tile or one row of the grid as it is now', () => {
  const steps = ['ArrowLeft', 'ArrowRight', 'ArrowUp', 'ArrowDown'].map((key) => stepOf(key, 7));
  assert.deepEqual(steps, [-1, 1, -7, 7]);
  assert.equal(stepOf('Enter', 7), 0);
});

test('a step beyond the tiles leads nowhere here', () => {
  assert.equal(moved(0, -1, 100), null);
  assert.equal(moved(95, 10, 100), null);
  assert.equal(moved(99, -1, 100), 98);
  assert.equal(moved(0, 10, 100), 10);
});

test('each tile shows its own part of the sprite', () => {
  assert.equal(placeOf(0, 10, 10), '0% 0%');
  assert.equal(placeOf(99, 10, 10), '100% 100%');
  assert.equal(placeOf(13, 10, 3), `${300 / 9}% 50%`);
});

test('a single row or column is not divided by nothing', () => {
  assert.equal(placeOf(4, 10, 1), `${400 / 9}% 0%`);
  assert.equal(placeOf(0, 1, 1), '0% 0%');
});
