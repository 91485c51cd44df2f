// Where on the photo a color is asked for: by a click or tap, or with a crosshair that arrow keys move.
//
// A hint is a button on the photo. It can be dragged, moved by arrow keys, and removed by Delete.
// Places are pixels of the upright photo.

import { arrow, follow, make, percent, within } from "./dom.js"
import { hex, nameOf } from "./names.js"

const STEP = 0.02 // of the photo's side, for an arrow key; a tenth of it with Shift
const SLIP = 5 // CSS pixels that a press may slip without being a drag

export class Board {
  /**
   * @param on what the board calls: `choose(spot, index)` where a color is asked for, `index`
   *   undefined for a new hint; `move(index, spot, again)`; `remove(index)`.
   */
  constructor(element, on) {
    this.element = element
    this.on = on
    this.dots = []
    this.crosshair = make("button", { type: "button", className: "crosshair" })
    this.element.append(this.crosshair)
    this.element.addEventListener("click", (event) => {
      if (event.target === this.element) this.on.choose(this.point(this.spotOf(event)))
    })
    this.crosshair.addEventListener("keydown", (event) => this.pressCrosshair(event))
    this.crosshair.addEventListener("click", () => this.on.choose(this.spot))
  }

  /** Another photo, with its hints. */
  open(photo, hints) {
    this.size = { width: photo.width, height: photo.height }
    this.point({ x: Math.floor(photo.width / 2), y: Math.floor(photo.height / 2) })
    this.show(hints)
  }

  show(hints) {
    this.hints = hints
    while (this.dots.length > hints.length) this.dots.pop().remove()
    while (this.dots.length < hints.length) this.addDot(this.dots.length)
    hints.forEach((hint, index) => {
      const dot = this.dots[index]
      dot.style.setProperty("--color", hex(hint.color))
      dot.setAttribute("aria-label", `Hint ${index + 1}: ${nameOf(hint.color)}, ${this.words(hint)}`)
      this.put(dot, hint)
    })
  }

  /** Set the crosshair, and keep it in sight while the palette is open. */
  point(spot, marked = this.crosshair.classList.contains("marked")) {
    this.spot = spot
    this.crosshair.classList.toggle("marked", marked)
    this.crosshair.setAttribute(
      "aria-label",
      `Crosshair, ${this.words(spot)}. Arrow keys move it, Enter opens the colors.`,
    )
    this.put(this.crosshair, spot)
    return spot
  }

  focus(index) {
    const one = this.dots[index] ?? this.crosshair
    one.focus({ preventScroll: true })
  }

  // --- below: how it is done ---------------------------------------------------------------------

  addDot(index) {
    const dot = make("button", { type: "button", className: "dot" })
    this.dots.push(dot)
    this.element.append(dot)
    let slipped = false
    dot.addEventListener("pointerdown", (event) => {
      slipped = false
      if (event.button) return
      const { clientX, clientY } = event
      follow(dot, event, (one) => {
        const far = Math.hypot(one.clientX - clientX, one.clientY - clientY) >= SLIP
        if (!slipped && !far) return
        this.on.move(index, this.spotOf(one), slipped)
        slipped = true
      })
    })
    dot.addEventListener("click", () => {
      if (!slipped) this.on.choose(this.hints[index], index)
    })
    dot.addEventListener("keydown", (event) => this.pressDot(event, index))
  }

  pressCrosshair(event) {
    const spot = this.moved(event, this.spot)
    if (spot) this.point(spot)
  }

  pressDot(event, index) {
    const spot = this.moved(event, this.hints[index])
    if (spot) this.on.move(index, spot, event.repeat)
    if (!["Delete", "Backspace"].includes(event.key)) return
    event.preventDefault()
    this.on.remove(index)
  }

  /** Where an arrow key takes a spot; undefined for other keys. */
  moved(event, { x, y }) {
    const way = arrow(event)
    if (!way) return
    event.preventDefault()
    const { width, height } = this.size
    const step = STEP * (event.shiftKey ? 0.1 : 1)
    const [right, down] = way.map((one, axis) => one * Math.max(1, Math.round(step * [width, height][axis])))
    return { x: within(x + right, 0, width - 1), y: within(y + down, 0, height - 1) }
  }

  spotOf(event) {
    const box = this.element.getBoundingClientRect()
    const { width, height } = this.size
    return {
      x: within(Math.floor(((event.clientX - box.left) / box.width) * width), 0, width - 1),
      y: within(Math.floor(((event.clientY - box.top) / box.height) * height), 0, height - 1),
    }
  }

  words({ x, y }) {
    return `${percent(x / this.size.width)} across, ${percent(y / this.size.height)} down`
  }

  put(one, { x, y }) {
    one.style.left = `${(100 * (x + 0.5)) / this.size.width}%`
    one.style.top = `${(100 * (y + 0.5)) / this.size.height}%`
  }
}
