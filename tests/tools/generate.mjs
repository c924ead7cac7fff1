// tests/tools/generate.mjs: random programs with odd layout and comments everywhere, for round trips.

const blank = (next) => [" ", "  ", "   "][next(3)];
const comment = (next) => ["# why", "#x", "# \u00e9\u20ac {", "# \"quoted\" }"][next(4)];
/** The end of a line, now and then with a comment, blank lines or comment lines behind it. */
const line = (next) => `${next(5) ? "" : ` ${comment(next)}`}\n${next(6) ? "" : "\n"}${next(7) ? "" : `${blank(next)}${comment(next)}\n`}`;

function number(next, depth) {
    if (depth > 3) return ["a", "n", `${next(100)}`][next(3)];
    const inner = () => number(next, depth + 1);
    switch (next(9)) {
    case 0: return `${inner()} + ${inner()}`;
    case 1: return `(${inner()} - ${inner()})`;
    case 2: return `${inner()} * ${next(9)}`;
    case 3: return `if ${truth(next, depth + 1)} then ${inner()} else ${inner()}`.replace(/^/, "(") + ")";
    case 4: return `min(${inner()}, ${inner()})`;
    case 5: return `abs( ${inner()} )`;
    case 6: return `clamp(${inner()}, 0, ${1 + next(50)})`;
    default: return ["a", "n", `${next(1000)}`][next(3)];
    }
}

function truth(next, depth = 0) {
    if (depth > 3) return "n > 0";
    switch (next(6)) {
    case 0: return `${number(next, depth + 1)} > ${number(next, depth + 1)}`;
    case 1: return `not (${truth(next, depth + 1)})`;
    case 2: return `(${truth(next, depth + 1)}) and n != ${next(9)}`;
    case 3: return `state == ${["RUN", "IDLE"][next(2)]}`;
    case 4: return `name starts_with "${"ab"[next(2)]}"`;
    default: return `n in ${next(5)}..${5 + next(5)}`;
    }
}

function sink(next) {
    return ["stdout", `file "out${next(3)}.ndjson"`, "uns \"a/{name}/b\"", "file \"x.csv\" as csv"][next(4)];
}

function stage(next, depth) {
    switch (next(depth > 1 ? 4 : 5)) {
    case 0: return `where${blank(next)}${truth(next)}`;
    case 1: return `let${blank(next)}v${next(3)} = ${number(next, 0)}${next(2) ? "" : `${line(next)}    w = "{n}-{name}"`}`;
    case 2: return `into ${sink(next)}${next(4) ? "" : ` and ${sink(next)}`}`;
    case 3: return `let t = state${blank(next)}  u${next(3)}=${number(next, 1)}`;
    default: {
        const arm = () => Array.from({ length: next(3) }, () => `${stage(next, depth + 1)}${next(2) ? line(next) : blank(next)}`).join("") + `into ${sink(next)}`;
        const semicolon = () => (next(3) ? line(next) : ` ;${line(next)}`);
        return `split${next(2) ? " all" : ""} {${line(next)}where ${truth(next)} => ${arm()}${semicolon()}where n > ${next(9)} =>${line(next)}${arm()}${line(next)}else => ${arm()}${line(next)}}`;
    }
    }
}

export function generate(next) {
    let text = next(3) ? "" : `${comment(next)}\n`;
    text += `type R = {${line(next)}  a: i64,${line(next)} n: i64${blank(next)}in -1000..1000${next(2) ? "," : ""}${line(next)} name: string(16) state: enum { RUN,${blank(next)}IDLE }${line(next)}}${line(next)}`;
    if (next(2)) text += `const top${blank(next)}= ${next(100)}${line(next)}`;
    for (let p = 0; p <= next(2); p++) {
        text += `pipeline p${p} {${line(next)}${blank(next)}from stdin as json R${line(next)}`;
        for (let i = next(5); i; i--) text += `${blank(next)}${stage(next, 0)}${next(5) ? line(next) : "  "}`;
        text += `${blank(next)}into ${sink(next)}${line(next)}${blank(next)}on error ${["drop", "into dead", "into file \"e\""][next(3)]}${line(next)}}${line(next)}`;
    }
    if (next(2)) text += `test p0 "shows (nothing)" {${line(next)} in { a: 1, n: 2, name: "x", state: RUN }${line(next)}}${line(next)}`;
    return text;
}
