// The palette for one place: the likeliest colors there, a color of your own, and a way to remove it.

import { make, percent, within } from "./dom.js"
import { fromHex, hex, nameOf } from "./names.js"

const MARGIN = 8 // CSS pixels to the photo's edges
const PLACE = 60 // CSS pixels, from the place to the palette at the window's edge

export class Chooser {
  /** @param on what it calls: `pick(color, again)`, `remove()`, `close()`. */
  constructor(element, on) {
    this.element = element
    this.on = on
    this.swatches = make("div", { className: "swatches" })
    this.own = make("input", { type: "color" })
    this.removing = make("button", { type: "button" }, "Remove hint")
    this.closing = make("button", { type: "button", className: "primary" }, "Done")
    element.append(
      make("h3", { id: "palette-title" }, "Which color belongs here?"),
      this.swatches,
      make("label", { className: "own" }, this.own, "Another color"),
      make("div", { className: "row" }, this.removing, this.closing),
    )
    let again = false
    this.own.addEventListener("input", () => {
      this.pick(fromHex(this.own.value), again)
      again = true
    })
    this.own.addEventListener("change", () => (again = false))
    this.removing.addEventListener("click", () => this.on.remove())
    this.closing.addEventListener("click", () => this.on.close())
    element.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return
      event.stopPropagation()
      this.on.close()
    })
  }

  get isOpen() {
    return !this.element.hidden
  }

  /** Open beside a place, at shares of the photo's sides; `color` is undefined for a new hint. */
  open({ x, y }, color) {
    this.swatches.replaceChildren(make("p", { className: "small" }, "Looking for likely colors …"))
    this.element.hidden = false
    this.choose(color)
    const photo = this.element.parentElement.getBoundingClientRect()
    const most = Math.max(MARGIN, photo.width - this.element.offsetWidth - MARGIN)
    const left = within(x * photo.width - this.element.offsetWidth / 2, MARGIN, most)
    this.element.style.setProperty("--left", `${left}px`)
    this.element.style.setProperty("--top", `${100 * y}%`)
    this.element.classList.toggle("above", photo.top + y * photo.height > innerHeight / 2)
    this.closing.focus({ preventScroll: true })
    this.bringIntoSight(photo.top + y * photo.height)
  }

  /** All of it, and where it lies at the window's lower edge also the place that it is for. */
  bringIntoSight(place) {
    this.element.scrollIntoView({ block: "nearest" })
    if (getComputedStyle(this.element).position !== "fixed") return
    const hidden = place - (this.element.getBoundingClientRect().top - PLACE)
    if (hidden > 0) scrollBy({ top: hidden })
  }

  /** Show the likeliest colors. */
  suggest(colors) {
    const buttons = colors.map(({ color, share }) => {
      const chip = make("span", { className: "chip" })
      chip.style.background = hex(color)
      const words = make("span", {}, nameOf(color), make("br"), percent(share))
      const button = make("button", { type: "button", className: "swatch" }, chip, words)
      button.setAttribute("aria-label", `${nameOf(color)}, ${percent(share)}`)
      button.dataset.color = hex(color)
      button.addEventListener("click", () => this.pick(color))
      return button
    })
    this.swatches.replaceChildren(...buttons)
    if (!this.color && colors.length) this.own.value = hex(colors[0].color)
    if (document.activeElement === this.closing) buttons[0]?.focus({ preventScroll: true })
    this.choose(this.color)
  }

  fail(message) {
    this.swatches.replaceChildren(make("p", { className: "small" }, message))
  }

  close() {
    this.element.hidden = true
  }

  pick(color, again = false) {
    this.choose(color)
    this.on.pick(color, again)
  }

  choose(color) {
    this.color = color
    this.removing.hidden = !color
    if (color) this.own.value = hex(color)
    for (const one of this.swatches.querySelectorAll(".swatch"))
      one.setAttribute("aria-pressed", String(Boolean(color) && one.dataset.color === hex(color)))
  }
}
