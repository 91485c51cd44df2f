// The divider over the photo: gray on its left, color on its right.
//
// Only its grip is dragged, as a click elsewhere on the photo is a hint. Arrow keys, Home and End
// move it too.

import { arrow, follow, percent, within } from "./dom.js"

const STEP = 0.02
const PAGE = 0.1
const START = 0.3

export class Divider {
  constructor(element, photo) {
    this.element = element
    this.photo = photo
    this.element.append(document.createElement("span"))
    this.element.addEventListener("pointerdown", (event) => this.drag(this.element, event))
    this.element.addEventListener("keydown", (event) => this.press(event))
    this.move(START)
  }

  move(share) {
    this.share = within(share)
    this.photo.style.setProperty("--split", `${100 * this.share}%`)
    this.element.setAttribute("aria-valuenow", Math.round(100 * this.share))
    this.element.setAttribute("aria-valuetext", `${percent(this.share)} gray, the rest in color`)
  }

  /** Follow the pointer that was pressed on an element. */
  drag(element, event) {
    if (event.button) return
    event.preventDefault()
    this.element.focus({ preventScroll: true })
    const box = this.photo.getBoundingClientRect()
    follow(element, event, (one) => this.move((one.clientX - box.left) / box.width))
  }

  press(event) {
    const [right, down] = arrow(event) ?? [0, 0]
    const to = {
      Home: 0,
      End: 1,
      PageUp: this.share + PAGE,
      PageDown: this.share - PAGE,
    }[event.key]
    if (to === undefined && !right && !down) return
    event.preventDefault()
    this.move(to ?? this.share + STEP * (right - down))
  }
}
