// SHA-256 (FIPS 180-4) and HMAC (RFC 2104), since functions have no cryptography of their own. Bytes are plain arrays.

const BLOCK = 64;
const START = [
  0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
];
// The first 32 bits of the fractional parts of the cube roots of the first 64 primes.
const ROUNDS = [
  0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98,
  0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786,
  0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8,
  0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
  0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819,
  0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a,
  0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
  0xc67178f2,
];

/** The bytes of an ASCII text. */
export function bytesOf(text) {
  const bytes = [];
  for (let at = 0; at < text.length; at++) bytes.push(text.charCodeAt(at));
  return bytes;
}

/**
 * A function that gives the HMAC-SHA-256 of bytes under `key` (up to 64 bytes).
 *
 * The key's own two blocks are hashed once, however many messages follow.
 */
export function hmacUnder(key) {
  const inner = compressed(START, padded(key, 0x36), 0);
  const outer = compressed(START, padded(key, 0x5c), 0);
  return (message) => finished(outer, finished(inner, message, BLOCK), BLOCK);
}

/** SHA-256 of bytes. */
export function sha256(message) {
  return finished(START, message, 0);
}

function padded(key, mask) {
  const block = new Array(BLOCK).fill(mask);
  for (let at = 0; at < key.length; at++) block[at] ^= key[at];
  return block;
}

/** Hash the last bytes of a message, of which `before` bytes were hashed into `state`. */
function finished(state, message, before) {
  const bytes = message.concat(0x80);
  while (bytes.length % BLOCK !== BLOCK - 8) bytes.push(0);
  const bits = (before + message.length) * 8;
  // Messages are far below 2^32 bits: the upper half of their length is nought.
  bytes.push(0, 0, 0, 0, (bits >>> 24) & 255, (bits >>> 16) & 255, (bits >>> 8) & 255, bits & 255);
  let hash = state;
  for (let at = 0; at < bytes.length; at += BLOCK) hash = compressed(hash, bytes, at);
  const digest = [];
  for (const word of hash)
    digest.push((word >>> 24) & 255, (word >>> 16) & 255, (word >>> 8) & 255, word & 255);
  return digest;
}

/** The state after the block of `bytes` that begins at `from`. */
function compressed(state, bytes, from) {
  const words = [];
  for (let at = from; at < from + BLOCK; at += 4) {
    words.push((bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]);
  }
  for (let at = 16; at < 64; at++) {
    const early = words[at - 15];
    const late = words[at - 2];
    const s0 = ((early >>> 7) | (early << 25)) ^ ((early >>> 18) | (early << 14)) ^ (early >>> 3);
    const s1 = ((late >>> 17) | (late << 15)) ^ ((late >>> 19) | (late << 13)) ^ (late >>> 10);
    words.push((words[at - 16] + s0 + words[at - 7] + s1) | 0);
  }
  let [a, b, c, d, e, f, g, h] = state;
  for (let at = 0; at < 64; at++) {
    const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
    const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
    const one = (h + s1 + ((e & f) ^ (~e & g)) + ROUNDS[at] + words[at]) | 0;
    const two = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    h = g;
    g = f;
    f = e;
    e = (d + one) | 0;
    d = c;
    c = b;
    b = a;
    a = (one + two) | 0;
  }
  return [
    (state[0] + a) | 0,
    (state[1] + b) | 0,
    (state[2] + c) | 0,
    (state[3] + d) | 0,
    (state[4] + e) | 0,
    (state[5] + f) | 0,
    (state[6] + g) | 0,
    (state[7] + h) | 0,
  ];
}
