import assert from 'node:assert/strict';
import test from 'node:test';
import { load } from './load.mjs';

const { say, ticks, domain, lanes, nearest, told } = await load('curves');

test('a number on an axis is short, whatever it is', () => {
  assert.equal(say(0.05), '0.05');
  assert.equal(say(0.1 + 0.2), '0.3');
  assert.equal(say(2.5e25), '3e25');
  assert.equal(say(0.00001), '1e−5');
  assert.equal(say(0), '0');
});

test('ticks are round and lie within', () => {
  assert.deepEqual(ticks(0, 2.3, 4), [0, 1, 2]);
  assert.deepEqual(ticks(0.955, 0.992, 4), [0.96, 0.97, 0.98, 0.99]);
  assert.deepEqual(ticks(0, 9.9, 5), [0, 2, 4, 6, 8]);
  assert.deepEqual(ticks(0.01, 0.3, 4, true), [0.01, 0.02, 0.05, 0.1, 0.2]);
  assert.ok(ticks(1e-3, 1e9, 4, true).length <= 7);
  assert.deepEqual(ticks(1, 1, 4), [1]);
});

test('accuracy shows where the curve is, not from where it came', () => {
  const line = [0.1, 0.5, ...Array(28).fill(0.97)];
  const [low, high] = domain({ line, points: [0.96, 0.98] }, 'accuracy');
  assert.ok(low > 0.95 && low < 0.96 && high > 0.98 && high < 0.99);
  assert.deepEqual(domain({ line: [0.1, 1], points: [] }, 'accuracy')[1], 1);
  const [floor] = domain({ line: [0.1, 0.9], points: [] }, 'accuracy'); // few yet: all of them
  assert.ok(floor < 0.1);
});

test('values that are no numbers have no part in an axis', () => {
  assert.deepEqual(domain({ line: [null, NaN], points: [null] }, 'loss'), [0, 1]);
  assert.ok(domain({ line: [2, Infinity], points: [null] }, 'loss')[1] < 3);
});

test('an error rate of zero does not break a log scale', () => {
  const [low, high] = domain({ line: [0, 0.1], points: [0.02] }, 'log');
  assert.ok(low > 0 && low <= 0.02 && high > 0.1);
});

test('labels of marks never touch, nor leave the plot', () => {
  const marks = [3, 5, 6, 40, 44, 90, 180, 199].map((x) => ({ x, text: 'resumed' }));
  const placed = lanes(marks, 200);
  const seen = placed.filter((m) => m.lane >= 0);
  assert.equal(placed.length, 8);
  assert.ok(seen.length >= 3);
  for (const a of seen) {
    assert.ok(a.from >= 0 && a.from + a.length <= 206);
    for (const b of seen)
      if (a !== b && a.lane === b.lane)
        assert.ok(a.from + a.length <= b.from || b.from + b.length <= a.from);
  }
});

test('the nearest place, the later of two', () => {
  assert.equal(nearest([], 1), -1);
  assert.equal(nearest([0, 1, 2], 1.2), 1);
  assert.equal(nearest([0, 1, 2], 9), 2);
});

const DATA = {
  unit: 'epoch',
  train: { x: [0.5, 1, 1.5], loss: [1, 0.5, null], accuracy: [0.5, 0.75, 0.875] },
  validation: { x: [1], epoch: [1], loss: [0.4], accuracy: [0.8] },
};

test('the crosshair tells training and validation side by side', () => {
  assert.deepEqual(told(DATA, 1.1), [
    ['epoch 1.10', ''],
    ['training', 'loss 0.5000, accuracy 75.00 %'],
    ['validation', 'loss 0.4000, accuracy 80.00 %, after epoch 1'],
  ]);
});

test('the crosshair says of a loss that it is no number', () => {
  assert.match(told(DATA, 1.5)[1][1], /loss no number/);
});
