import assert from 'node:assert/strict';
import test from 'node:test';
import { load } from './load.mjs';

const { copy } = await load('copy_link');

test('the clipboard takes the address', async () => {
  const taken = [];
  await copy('http://x', { writeText: async (text) => taken.push(text) }, () => taken.push('old'));
  assert.deepEqual(taken, ['http://x']);
});

test('a refused clipboard is followed by the old way', async () => {
  const refused = { writeText: () => Promise.reject(new Error('denied')) };
  assert.equal(await copy('http://x', refused, async () => 'old'), 'old');
});

test('a page without https has no clipboard', async () => {
  assert.equal(await copy('http://x', undefined, async () => 'old'), 'old');
});

test('if neither works, it is said', async () => {
  await assert.rejects(copy('http://x', undefined, () => Promise.reject(new Error('no'))));
});
