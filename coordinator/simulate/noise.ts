// Noise that is the same for the same seed and second, whatever the step of the simulation.

/** From -1 to 1, spread evenly: splitmix32 over seed and second. */
export function noise(seed: number, second: number): number {
  let x = (Math.imul(seed, 0x9e3779b9) ^ Math.imul(second + 1, 0x85ebca6b)) >>> 0;
  x = Math.imul(x ^ (x >>> 16), 0x21f0aaad);
  x = Math.imul(x ^ (x >>> 15), 0x735a2d97);
  return ((x ^ (x >>> 15)) >>> 0) / 2 ** 31 - 1;
}
