// tests/ui/dev/sample.mjs: one pipeline for the stand-in server: text and its graph.
export const text = `# Statistics of every press, ten seconds at a time.
type Press = {
  ts: time, machine: string(16), line: string(4),
  temp: f64 [degC] in -60..400, pressure: f64 [bar] in 0..25, rpm: i32 in 0..6000,
  state: enum { RUN, IDLE, FAULT }, seq: i64?
}

pipeline press_stats {
  from mqtt "plant/+/press" qos 1 as json Press
  time ts order 2s idle 30s max ahead 5m
  where state == RUN and temp > -40 [degC]
  let temp_f = temp to [degF]
      power  = pressure * rpm * 0.0167 [kW/bar]
  window tumble 10s by machine {
    n = count()  avg = mean(temp_f)  lo = min(temp_f)  hi = max(temp_f)
    p95 = quantile(temp_f, 0.95, within 1%)  power = mean(power)
  }
  into uns "acme/berlin/{machine}/stats"
  into historian press_10s key (machine, start)
  on late  into file "late.ndjson"
  on error into file "dead.ndjson" stop above 5% in 1m
}
`;
const n = (id, kind, label, line, end_line = line) => ({ id, kind, label, line, end_line, fields: [{ name: "machine", type: "string(16)" }, { name: "temp", type: "f64 [degC]" }] });
const w = (id, from, to, port = "out", type = "record") => ({ id, from, to, port, type });
export const graph = {
    pipelines: [{
        name: "press_stats",
        nodes: [n("n1", "from", 'mqtt "plant/+/press" qos 1', 9), n("n2", "time", "ts order 2s", 10), n("n3", "where", "state == RUN and temp > -40 [degC]", 11), n("n4", "let", "temp_f, power", 12, 13), n("n5", "window", "tumble 10s by machine", 14, 17), n("n6", "into", 'uns "acme/berlin/{machine}/stats"', 18), n("n7", "into", "historian press_10s", 19), n("n8", "late", 'file "late.ndjson"', 20), n("n9", "error", 'file "dead.ndjson"', 21)],
        wires: [w("w1", "n1", "n2"), w("w2", "n2", "n3"), w("w3", "n3", "n4"), w("w4", "n4", "n5"), w("w5", "n5", "n6"), w("w6", "n5", "n7"), w("w7", "n5", "n8", "late"), w("w8", "n1", "n9", "error", "event")],
    }],
};
