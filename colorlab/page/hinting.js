// From a place on the photo to a hint: the board asks, the palette gives the color.

import { Board } from "./board.js"
import { byId, say } from "./dom.js"
import { nameOf } from "./names.js"
import { Chooser } from "./chooser.js"

export class Hinting {
  /**
   * @param suggest `(x, y, hints)` -> a promise of the likeliest colors
   * @param change called with the new hints, and whether they replace the step before
   */
  constructor(suggest, change) {
    this.suggest = suggest
    this.change = change
    this.hints = []
    this.board = new Board(byId("board"), {
      choose: (spot, index) => this.choose(spot, index),
      move: (index, spot, again) => this.move(index, spot, again),
      remove: (index) => this.remove(index),
    })
    this.chooser = new Chooser(byId("palette"), {
      pick: (color, again) => this.pick(color, again),
      remove: () => this.remove(this.index),
      close: () => this.close(),
    })
    document.addEventListener("pointerdown", (event) => {
      if (this.chooser.isOpen && !byId("photo").contains(event.target)) this.close(false)
    })
  }

  /** Another photo. */
  open(photo, hints) {
    this.close(false)
    this.hints = hints
    this.board.open(photo, hints)
  }

  /** The same photo with other hints, after a step back or forth. */
  show(hints) {
    if (hints === this.hints) return
    this.close(false)
    this.hints = hints
    this.board.show(hints)
  }

  async choose(spot, index) {
    this.spot = spot
    this.index = index
    const { width, height } = this.board.size
    this.board.point(spot, index === undefined)
    this.chooser.open({ x: spot.x / width, y: spot.y / height }, this.hints[index]?.color)
    const others = this.hints.filter((_, at) => at !== index)
    try {
      const colors = await this.suggest(spot.x, spot.y, others)
      if (this.spot === spot && this.chooser.isOpen) this.chooser.suggest(colors)
    } catch (error) {
      if (this.spot === spot) this.chooser.fail(error.message)
    }
  }

  pick(color, again) {
    const { x, y } = this.spot
    const hint = { x, y, color }
    if (this.index === undefined) {
      this.index = this.hints.length
      this.board.point(this.spot, false)
    }
    this.set(this.hints.toSpliced(this.index, 1, hint), again)
    say(`Hint ${this.index + 1}: ${nameOf(color)}`)
  }

  move(index, { x, y }, again) {
    if (this.chooser.isOpen) this.close(false)
    this.set(this.hints.with(index, { ...this.hints[index], x, y }), again)
  }

  remove(index) {
    this.close(false)
    this.set(this.hints.toSpliced(index, 1))
    this.board.focus()
    say(`Hint ${index + 1} removed`)
  }

  set(hints, again = false) {
    this.hints = hints
    this.board.show(hints)
    this.change(hints, again)
  }

  /** Close the palette; `back`: to where it was opened from. */
  close(back = true) {
    if (!this.chooser.isOpen) return
    this.chooser.close()
    this.board.point(this.board.spot, false)
    if (back) this.board.focus(this.index)
    this.spot = null
  }
}
