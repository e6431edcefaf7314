// What fields hold a level, and which. The names are those the server looks for (`detected_level`).
import type { Level } from '../model';

const KEYS = new Set(['level', 'log.level', 'loglevel', 'levelname', 'severity', 'severitytext', 'severity_text', 'lvl']);

/** Whether a field of this name holds a level. */
export function isLevelKey(name: string): boolean {
  return KEYS.has(name.toLowerCase());
}

const WORDS = new Map<string, Level>([
  ['trace', 'trace'], ['trc', 'trace'], ['debug', 'debug'], ['dbg', 'debug'], ['info', 'info'], ['inf', 'info'], ['information', 'info'],
  ['warn', 'warn'], ['wrn', 'warn'], ['warning', 'warn'], ['error', 'error'], ['err', 'error'], ['critical', 'critical'], ['fatal', 'fatal'],
]);

/** The level that a field's value names, if it is one that is known. */
export function levelOf(value: string): Level | undefined {
  return WORDS.get(value.toLowerCase());
}
