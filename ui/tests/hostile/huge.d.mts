export function hugeLines(): [string, string][];
export const BYTES: Buffer[];
