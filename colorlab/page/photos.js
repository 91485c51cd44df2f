// The photos of the page, colored one after another: the one that is shown comes first.
//
// A photo's state is "waiting", "coloring", "done" or "problem". The engine holds a few of them; the
// others are read again when they are looked at.

import { History } from "./history.js"

const HELD = 4 // photos that the engine holds
const LONGEST = 2048 // of a picture on the screen; the download has the full size
const THUMB = 240
const START = { hints: [], saturation: 1, temperature: null }

export class Photos extends EventTarget {
  /** @param ready a promise of the engine */
  constructor(ready) {
    super()
    this.ready = ready
    this.all = []
    this.shown = null
    this.held = []
    this.working = false
  }

  add(files, credit = "") {
    const added = Array.from(files, (file) => ({
      file,
      credit,
      name: file.name || "photo",
      state: "waiting",
      message: "",
      history: new History(START),
    }))
    this.all.push(...added)
    if (added.length) this.show(added[0], false)
    this.work()
  }

  /** Look at a photo. `chosen`: by the user, so that it stays even where it has a problem. */
  show(photo, chosen = true) {
    this.shown = photo
    this.chosen = chosen
    if (photo?.state === "done" && !photo.handle) photo.state = "waiting"
    this.tell(photo)
    this.work()
  }

  remove(photo) {
    const at = this.all.indexOf(photo)
    this.all.splice(at, 1)
    this.release(photo)
    if (photo === this.shown) this.show(this.all[at] ?? this.all.at(-1) ?? null)
    else this.tell(photo)
  }

  /** Color a photo anew, after its history has changed. */
  async recolor(photo) {
    await this.attempt(photo, () => this.color(photo))
  }

  /** The colored photo as a file, {blob, name}. */
  async encode(photo) {
    const engine = await this.ready
    if (!photo.handle && photo.state !== "coloring") this.attempt(photo, () => this.open(photo))
    while (photo.state === "coloring") await photo.pending
    if (photo.state === "problem") throw new Error(photo.message)
    const [type, suffix] = photo.handle.alpha ? ["image/png", "png"] : ["image/jpeg", "jpg"]
    const blob = await engine.encode(photo.handle.id, type)
    return { blob, name: `${photo.name.replace(/\.[^.]*$/, "")}-colored.${suffix}` }
  }

  // --- below: how they take turns ----------------------------------------------------------------

  async work() {
    if (this.working) return
    this.working = true
    await this.ready
    for (let photo; (photo = this.next()); ) await this.attempt(photo, () => this.open(photo))
    this.working = false
  }

  next() {
    return [this.shown, ...this.all].find((photo) => photo?.state === "waiting")
  }

  /** Do something to a photo, and keep its state. Of several tasks at once, the last one counts. */
  attempt(photo, task) {
    this.turn(photo, "coloring")
    const pending = task().then(
      () => ["done"],
      (error) => ["problem", error.message],
    )
    photo.pending = pending
    return pending.then((how) => {
      if (photo.pending === pending) this.turn(photo, ...how)
      this.lookElsewhere()
    })
  }

  /** Where the first photo has a problem and nobody chose it, show one that is done. */
  lookElsewhere() {
    const better = this.all.find((one) => one.state === "done")
    if (!this.chosen && this.shown?.state === "problem" && better) this.show(better, false)
  }

  async open(photo) {
    const engine = await this.ready
    photo.handle = await engine.read(photo.file)
    this.held = [...this.held, photo]
    photo.gray = await forScreen(await engine.gray(photo.handle.id))
    this.tell(photo)
    await this.color(photo)
    const spare = this.held.filter((one) => one !== this.shown && one !== photo)
    for (const one of spare.slice(0, Math.max(0, this.held.length - HELD))) this.release(one)
    if (!this.all.includes(photo)) this.release(photo)
  }

  async color(photo) {
    const engine = await this.ready
    const { picture } = await engine.color(photo.handle.id, photo.history.now)
    photo.colored = await forScreen(picture)
    photo.thumb = await reduced(photo.colored, THUMB)
  }

  release(photo) {
    if (!this.held.includes(photo)) return
    this.held = this.held.filter((one) => one !== photo)
    const { id } = photo.handle
    photo.handle = photo.gray = photo.colored = null
    this.ready.then((engine) => engine.close(id))
  }

  turn(photo, state, message = "") {
    Object.assign(photo, { state, message })
    this.tell(photo)
  }

  tell(photo) {
    this.dispatchEvent(new CustomEvent("change", { detail: photo }))
  }
}

const forScreen = (picture) => reduced(picture, LONGEST)

/** A picture whose longer side is at most `longest`. */
function reduced(picture, longest) {
  const scale = Math.min(1, longest / Math.max(picture.width, picture.height))
  return createImageBitmap(picture, {
    resizeWidth: Math.max(1, Math.round(scale * picture.width)),
    resizeHeight: Math.max(1, Math.round(scale * picture.height)),
    resizeQuality: "high",
  })
}
