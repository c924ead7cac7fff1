// tests/gen/shrink.mjs: makes a failing pipeline and its records small. `fails(p)` says whether it
// still fails in the same way; what no longer compiles does not.
import { literal, leaf } from './expr.mjs';

function fewer(list, keep, fails) {
  for (let step = Math.ceil(list.length / 2); step >= 1; step = step === 1 ? 0 : Math.ceil(step / 2)) {
    for (let at = 0; at < list.length;) {
      const less = list.slice(0, at).concat(list.slice(at + step));
      if (less.length >= keep && fails(less)) list = less;
      else at += step;
    }
  }
  return list;
}

// All ways to make one expression smaller: a kid of the same type in its place, or a literal.
function* smaller(r, node) {
  if (node.kids.length) {
    yield leaf(node.type, literal(r, node.type));
    for (const kid of node.kids) if (kid.type.kind === node.type.kind) yield kid;
  }
  for (let i = 0; i < node.kids.length; i++)
    for (const kid of smaller(r, node.kids[i]))
      yield { ...node, kids: node.kids.map((k, n) => (n === i ? kid : k)) };
}

const plainRandom = { pick: (list) => list[0], below: () => 1, chance: () => false };

function expressions(p, fails) {
  for (let s = 0; s < p.body.length; s++) {
    for (let e = 0; e < p.body[s].exprs.length; e++) {
      for (let again = true, rounds = 0; again && rounds < 30; rounds++) {
        again = false;
        for (const node of smaller(plainRandom, p.body[s].exprs[e])) {
          const body = p.body.map((x, n) => (n === s ? { ...x, exprs: x.exprs.map((y, k) => (k === e ? node : y)) } : x));
          if (!fails({ ...p, body })) continue;
          p = { ...p, body };
          again = true;
          break;
        }
      }
    }
  }
  return p;
}

// Stops where it is after `seconds`: every try is a run of the C compiler.
export function shrink(p, test, seconds = 90) {
  const until = Date.now() + seconds * 1000;
  const fails = (q) => Date.now() < until && test(q);
  const small = (change) => { const q = { ...p, ...change }; if (fails(q)) p = q; };
  p = { ...p, records: fewer(p.records, 0, (records) => fails({ ...p, records })) };
  p = { ...p, body: fewer(p.body, 0, (body) => fails({ ...p, body })) };
  small({ last: { text: 'into stdout', late: '' } });
  small({ head: [] });
  small({ options: '' });
  small({ error: 'on error drop' });
  p = expressions(p, fails);
  p = { ...p, fields: fewer(p.fields, 1, (fields) => fails({ ...p, fields })) };
  p = { ...p, records: fewer(p.records, 0, (records) => fails({ ...p, records })) };
  return p;
}
