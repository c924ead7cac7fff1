// tests/gen/random.mjs: a seeded source of choices; the same seed makes the same programs everywhere.
export class Random {
  constructor(seed) { this.state = (BigInt(seed) * 0x9e3779b97f4a7c15n + 0x1234567n) & 0xffffffffffffffffn || 1n; }
  bits() {
    const mask = 0xffffffffffffffffn;
    this.state ^= (this.state << 13n) & mask;
    this.state ^= this.state >> 7n;
    this.state ^= (this.state << 17n) & mask;
    return this.state;
  }
  below(n) { return Number((this.bits() >> 11n) % BigInt(n)); }
  chance(percent) { return this.below(100) < percent; }
  pick(list) { return list[this.below(list.length)]; }
  // list of [weight, value]
  weighted(list) {
    let at = this.below(list.reduce((sum, [w]) => sum + w, 0));
    for (const [w, value] of list) { if (at < w) return value; at -= w; }
    return list[0][1];
  }
}
