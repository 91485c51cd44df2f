// Undo and redo: the states of one photo, and which of them is shown.

export class History {
  constructor(start) {
    this.states = [start]
    this.at = 0
  }

  get start() {
    return this.states[0]
  }

  get now() {
    return this.states[this.at]
  }

  get canUndo() {
    return this.at > 0
  }

  get canRedo() {
    return this.at < this.states.length - 1
  }

  /** A new state. With `again` it replaces the last, as while a slider is dragged. */
  set(state, again = false) {
    this.at += again && this.canUndo ? 0 : 1
    this.states.splice(this.at, Infinity, state)
  }

  undo() {
    this.at -= this.canUndo ? 1 : 0
  }

  redo() {
    this.at += this.canRedo ? 1 : 0
  }
}
