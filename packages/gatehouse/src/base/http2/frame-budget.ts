// Bytes of one connection besides the bodies of its requests: headers, and frames that carry nothing.

/** Settings, a first window update, a few pings. In frames about 300 WINDOW_UPDATE or PRIORITY, 240 PING, 450 SETTINGS. */
const START_BYTES = 4 * 1024;
/** Keepalive pings, of which no client needs two a second. */
const BYTES_PER_SECOND = 32;
/**
 * What a call may need besides its headers and its body: the DATA frame's head, window updates and a ping for what it
 * is answered, RST_STREAM. In frames no more than Envoy's 10 WINDOW_UPDATE per DATA frame sent (threats.md section 5).
 */
const STREAM_BYTES = 256;
/** A field's own bytes are its name and value at most; HPACK adds up to this for the lengths. */
const FIELD_BYTES = 8;
/** Heads of the DATA frames of a body: a frame of 72 bytes pays for its own. */
const BODY_OVERHEAD = 1 / 8;
/** Window updates and pings of a client that reads our answers: two and one for a frame of 16 KiB. */
const ANSWER_OVERHEAD = 1 / 100;
/** Unspent credit is cut to this now and then, so that no peer saves up for a flood; 1,000 streams need 64 bytes each. */
const SAVED_BYTES_MAX = 64 * 1024;
/** Bodies of refused calls that are on their way still: no more than the connection's window. */
const CUT_BYTES_MAX = 16 * 1024 * 1024;

/**
 * Tells a flood of empty frames from work (CVE-2019-9511 to 9518 and their kin). nghttp2 passes over most
 * frames in silence, but how many bytes came is known, and what of them was of use: what is left is the flood. So the budget is in bytes, and
 * covers every frame there is: PING, SETTINGS, PRIORITY, WINDOW_UPDATE, CONTINUATION, unknown ones, DATA of one byte.
 */
export class FrameBudget {
  /** What came in may be this much. */
  #allowed = START_BYTES;
  #cut = 0;
  #written = 0;
  #seenMs: number | undefined;

  call(rawHeaders: readonly string[]): void {
    let bytes = STREAM_BYTES;
    for (const text of rawHeaders) bytes += text.length + FIELD_BYTES / 2;
    this.#allowed += bytes;
  }

  body(bytes: number): void {
    this.#allowed += bytes + bytes * BODY_OVERHEAD;
  }

  /** A call ended before its body had come: what the client has sent meanwhile is no fault of it. */
  cutShort(windowBytes: number): void {
    this.#cut += windowBytes;
  }

  /**
   * @param nowMs monotonic. @param read bytes of plaintext that came since the start. @param written that went.
   * @returns how many bytes there are too many; 0 while all is well.
   */
  overdrawn(nowMs: number, read: number, written: number): number {
    this.#allowed += ((nowMs - (this.#seenMs ?? nowMs)) / 1000) * BYTES_PER_SECOND;
    this.#seenMs = nowMs;
    this.#allowed += (written - this.#written) * ANSWER_OVERHEAD;
    this.#written = written;
    if (read > this.#allowed) {
      const fromCut = Math.min(this.#cut, read - this.#allowed);
      this.#cut -= fromCut;
      this.#allowed += fromCut;
    }
    this.#cut = Math.min(this.#cut, CUT_BYTES_MAX);
    this.#allowed = Math.min(this.#allowed, read + SAVED_BYTES_MAX);
    return Math.max(0, Math.ceil(read - this.#allowed));
  }
}
