// Where the view stands in a content that may be taller than any element can be, to the pixel. The browser scrolls an element of at most 8 million
// px; `top` is the place in the content. The two differ by `origin`, which takes up what is added above and every correction: nothing on screen
// moves for them, and the scrollbar follows when the person rests.

/** Firefox ends at 17.9 million px, and sums of large lengths lose parts of a pixel before that. */
const ELEMENT_MAX_PX = 8_000_000;
/** The bar follows when nothing was scrolled for so long, in ms. */
const REST_MS = 150;
/** A longer step than so many views is the thumb of the scrollbar. */
const THUMB_VIEWS = 3;

/** Changes are planned first and take effect with `commit`, so that a frame lays out once. */
export class Scroller {
  #top = 0;
  #total = 0;
  #height = 0;
  /** Px between the page's beginning and the content's, where the page scrolls instead of the list. */
  #above = 0;
  /** Where the element is scrolled, and where it will be after `commit`. */
  #real = 0;
  #scrolled = 0;
  #canvasHeight = -1;
  #rest: ReturnType<typeof setTimeout> | undefined;
  /** Whether the page scrolls instead of the element. */
  #isPage = false;

  constructor(
    private readonly element: HTMLElement,
    private readonly canvas: HTMLElement,
    /** Called after the person scrolled, with how far. */
    private readonly onMove: (by: number) => void,
    /** Called where there is something to commit. */
    private readonly onPlan: () => void,
  ) {
    this.#target.addEventListener('scroll', this.#onScroll, { passive: true });
  }

  get #target(): HTMLElement | Window {
    return this.#isPage ? window : this.element;
  }

  /** Lets the page scroll instead of the element, or the other way round. */
  setPage(isPage: boolean): void {
    if (isPage === this.#isPage) return;
    this.#target.removeEventListener('scroll', this.#onScroll);
    this.#isPage = isPage;
    this.#target.addEventListener('scroll', this.#onScroll, { passive: true });
    this.measure();
    this.#real = this.#read();
    this.#scrolled = this.#real;
    this.#restSoon();
  }

  /** Leaves what scrolls to somebody else; afterwards it is scrolled to where it was. */
  suspend(isSuspended: boolean): void {
    clearTimeout(this.#rest);
    this.#target.removeEventListener('scroll', this.#onScroll);
    if (isSuspended) return;
    this.#target.addEventListener('scroll', this.#onScroll, { passive: true });
    this.measure();
    this.#real = this.#read();
  }

  /** The first px of the content that is seen. */
  get top(): number {
    return this.#top;
  }

  /** Height of the view. */
  get height(): number {
    return this.#height;
  }

  /** The largest `top`. */
  get max(): number {
    return Math.max(0, this.#total - this.#height);
  }

  /** Is subtracted from a place in the content to get its place in the element. */
  get origin(): number {
    return this.#top - this.#scrolled;
  }

  /** Reads the size of the view. May cost a layout: not for the path of scrolling. */
  measure(): void {
    if (this.#isPage) {
      this.#above = this.canvas.getBoundingClientRect().top + window.scrollY;
      this.#height = window.innerHeight;
    } else {
      // No view is taller than its window, whatever a page makes of the element around it.
      this.#height = Math.min(this.element.clientHeight, window.innerHeight);
    }
  }

  /** Sets the height of the content. */
  setTotal(px: number): void {
    this.#total = px;
    if (this.#top > this.max) this.to(this.max);
  }

  /** Says that what is seen is further down by `px`, because content above it was added, dropped or corrected. */
  shift(px: number): void {
    this.#top += px;
    this.#restSoon();
  }

  /** Goes to a place. */
  to(top: number): void {
    this.#top = Math.min(this.max, Math.max(0, top));
    this.#follow();
  }

  /** Lets the element follow at once where it has no room to be scrolled on although the content has. */
  keepRoom(): void {
    const end = this.#elementHeight - this.#height;
    const isShortAbove = this.#scrolled < this.#height && this.#scrolled < this.#top - 0.5;
    const isShortBelow = end - this.#scrolled < this.#height && end - this.#scrolled < this.max - this.#top - 0.5;
    if (isShortAbove || isShortBelow) this.#follow();
  }

  /** Does what was planned. Returns whether `origin` is not as planned, because the browser scrolls in steps of its own. */
  commit(): boolean {
    const height = this.#elementHeight;
    // The person may have scrolled since the last event: that way is not lost. A shorter canvas may scroll, too, but that is nobody's wish.
    if (this.#scrolled !== this.#real) this.#onScroll();
    if (height !== this.#canvasHeight) {
      this.#canvasHeight = height;
      this.canvas.style.height = `${height}px`;
    }
    if (this.#scrolled === this.#real) return false;
    if (this.#isPage) window.scrollTo({ top: this.#scrolled + this.#above, behavior: 'instant' });
    else this.element.scrollTop = this.#scrolled;
    this.#real = this.#read();
    const isOff = Math.abs(this.#real - this.#scrolled) > 0.001;
    this.#scrolled = this.#real;
    return isOff;
  }

  destroy(): void {
    clearTimeout(this.#rest);
    this.#target.removeEventListener('scroll', this.#onScroll);
  }

  get #elementHeight(): number {
    return Math.min(this.#total, ELEMENT_MAX_PX);
  }

  #read(): number {
    return this.#isPage ? window.scrollY - this.#above : this.element.scrollTop;
  }

  /** Plans to scroll the element to where `top` is. */
  #follow(): void {
    clearTimeout(this.#rest);
    const end = Math.max(0, this.#elementHeight - this.#height);
    const isExact = this.#total <= ELEMENT_MAX_PX;
    const wanted = isExact ? this.#top : this.max === 0 ? 0 : (this.#top / this.max) * end;
    if (Math.abs(wanted - this.#scrolled) < 0.5) return;
    this.#scrolled = wanted;
    this.onPlan();
  }

  readonly #onScroll = (): void => {
    const scrolled = this.#read();
    const by = scrolled - this.#real;
    if (by === 0) return;
    this.#real = scrolled;
    this.#scrolled += by;
    const before = this.#top;
    const isThumb = this.#total > ELEMENT_MAX_PX && Math.abs(by) > THUMB_VIEWS * this.#height;
    const top = isThumb ? (scrolled / (this.#elementHeight - this.#height)) * this.max : before + by;
    this.#top = Math.min(this.max, Math.max(0, top));
    this.#restSoon();
    this.onMove(this.#top - before);
  };

  #restSoon(): void {
    clearTimeout(this.#rest);
    this.#rest = setTimeout(() => this.#follow(), REST_MS);
  }
}
