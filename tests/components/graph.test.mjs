import assert from 'node:assert/strict';
import test from 'node:test';
import { load } from './load.mjs';

const { default: draw, middleOf } = await load('graph');

test('the present station is scrolled to the middle of its strip', () => {
  assert.equal(middleOf({ offsetLeft: 500, offsetWidth: 80 }, { clientWidth: 300 }), 390);
});

const stage = () => {
  const graph = { innerHTML: '', querySelector: () => null };
  const told = [];
  const show = (drawn) =>
    draw({
      data: new TextEncoder().encode(JSON.stringify(drawn)),
      parentElement: { querySelector: () => graph },
      setTriggerValue: (...values) => told.push(values),
    });
  return { graph, show, told };
};

test('a click on a station tells its step, one beside them nothing', () => {
  const { graph, show, told } = stage();
  show('<i></i>');
  graph.onclick({ target: { closest: () => ({ dataset: { step: '12' } }) } });
  graph.onclick({ target: { closest: () => null } });
  assert.deepEqual(told, [['picked', 12]]);
});

test('what is drawn already is not drawn anew', () => {
  const { graph, show } = stage();
  show('<i></i>');
  graph.innerHTML = 'as the visitor sees it';
  show('<i></i>');
  assert.equal(graph.innerHTML, 'as the visitor sees it');
  show('<b></b>');
  assert.equal(graph.innerHTML, '<b></b>');
});
