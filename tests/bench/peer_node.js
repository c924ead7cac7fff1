// tests/bench/peer_node.js: the work item in Node.js: JSON.parse per line.
'use strict';
const { take, end } = require('./press_work.js');

function line(text) {
  let r;
  try { r = JSON.parse(text); } catch { return; }
  take(r, Date.parse(r.ts));
}

let held = '';
process.stdin.setEncoding('latin1');
process.stdin.on('data', (chunk) => {
  const lines = (held + chunk).split('\n');
  held = lines.pop();
  for (const text of lines) line(text);
});
process.stdin.on('end', () => {
  if (held) line(held);
  end();
});
