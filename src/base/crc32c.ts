/**
 * CRC-32C (Castagnoli), slicing by eight. etcd hashes the key space with it (HashKV) and bbolt tools expect it;
 * the runtime has only the IEEE polynomial built in.
 */
const POLYNOMIAL_REVERSED = 0x82f63b78;
const tables = buildTables();

function buildTables(): Int32Array[] {
  const out: Int32Array[] = [];
  for (let t = 0; t < 8; t++) out.push(new Int32Array(256));
  for (let n = 0; n < 256; n++) {
    let crc = n;
    for (let bit = 0; bit < 8; bit++) {
      crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL_REVERSED : crc >>> 1;
    }
    out[0]![n] = crc;
  }
  for (let n = 0; n < 256; n++) {
    let crc = out[0]![n]!;
    for (let t = 1; t < 8; t++) {
      crc = out[0]![crc & 0xff]! ^ (crc >>> 8);
      out[t]![n] = crc;
    }
  }
  return out;
}

const [t0, t1, t2, t3, t4, t5, t6, t7] = tables as [
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
];

/** Continues `seed` (0 to begin) over bytes[start, end). Returns an unsigned 32-bit number. */
export function crc32c(bytes: Uint8Array, seed = 0, start = 0, end = bytes.length): number {
  let crc = ~seed;
  let i = start;
  for (const last = end - 8; i <= last; i += 8) {
    crc ^= bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24);
    crc =
      t7[crc & 0xff]! ^
      t6[(crc >>> 8) & 0xff]! ^
      t5[(crc >>> 16) & 0xff]! ^
      t4[crc >>> 24]! ^
      t3[bytes[i + 4]!]! ^
      t2[bytes[i + 5]!]! ^
      t1[bytes[i + 6]!]! ^
      t0[bytes[i + 7]!]!;
  }
  for (; i < end; i++) crc = t0[(crc ^ bytes[i]!) & 0xff]! ^ (crc >>> 8);
  return ~crc >>> 0;
}
