import assert from 'node:assert/strict';
import test from 'node:test';
import { load } from './load.mjs';

const { inside, nearestOf, onward, outline } = await load('scatter');
const all = () => true;

test('a lasso keeps its path, a box its two ends', () => {
  const path = [
    [0, 0],
    [5, 9],
    [10, 4],
  ];
  assert.equal(outline(path, 'lasso'), path);
  assert.deepEqual(outline(path, 'box'), [
    [0, 0],
    [10, 0],
    [10, 4],
    [0, 4],
  ]);
});

test('a spot in the bay of a lasso is outside it', () => {
  const bay = [
    [0, 0],
    [10, 0],
    [10, 10],
    [5, 2],
    [0, 10],
  ];
  assert.ok(inside([1, 5], bay));
  assert.ok(inside([9, 5], bay));
  assert.ok(!inside([5, 6], bay));
  assert.ok(!inside([11, 5], bay));
});

test('it does not matter which way round a line was drawn', () => {
  const square = [
    [0, 0],
    [4, 0],
    [4, 4],
    [0, 4],
  ];
  assert.ok(inside([2, 2], square) && inside([2, 2], [...square].reverse()));
});

test('the nearest place within reach is found, hidden ones are passed over', () => {
  const places = [
    [0, 0],
    [3, 0],
    [9, 0],
  ];
  assert.equal(nearestOf(places, [2.5, 0], 16, all), 1);
  assert.equal(
    nearestOf(places, [2.5, 0], 16, (i) => i !== 1),
    0,
  );
  assert.equal(nearestOf(places, [2.5, 40], 16, all), -1);
});

test('an arrow key goes on to what lies ahead, not to what is nearest', () => {
  const places = [
    [0, 0],
    [10, 0],
    [4, 6],
    [-2, 0],
  ];
  assert.equal(onward(places, 0, [1, 0], all), 1);
  assert.equal(onward(places, 0, [-1, 0], all), 3);
  assert.equal(onward(places, 0, [0, 1], all), 2);
  assert.equal(onward(places, 1, [1, 0], all), -1);
});
