// Signed posts that were taken, for as long as their signature counts (signature.ts): the same one again is a replay, or its
// sender has not heard our answer. Bounded: past that, the oldest is forgotten. A coordinator that has just begun knows none.

const most = 50_000;

export class TakenPosts {
  /** By seal: until when it must be known, wall milliseconds. In the order of coming. */
  readonly #until = new Map<string, number>();

  /** False when it was taken before. */
  take(seal: string, until: number, nowWall: number): boolean {
    const known = this.#until.get(seal);
    if (known !== undefined && known >= nowWall) return false;
    this.#until.delete(seal);
    this.#until.set(seal, until);
    this.#forget(nowWall);
    return true;
  }

  /** It was not taken after all: its sender may send it again. */
  giveBack(seal: string): void {
    this.#until.delete(seal);
  }

  get size(): number {
    return this.#until.size;
  }

  #forget(nowWall: number): void {
    for (const [seal, until] of this.#until) {
      if (until >= nowWall && this.#until.size <= most) return;
      this.#until.delete(seal);
    }
  }
}
