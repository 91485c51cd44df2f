// The album's strip: a thumbnail of each photo, its state, and what is wrong with it.

import { make } from "./dom.js"

const WORDS = { waiting: "waiting", coloring: "coloring …", done: "done", problem: "problem" }

export class Strip {
  /** @param choose called with the photo whose thumbnail is pressed */
  constructor(element, choose) {
    this.element = element
    this.choose = choose
    this.items = new Map()
  }

  show(all, shown) {
    for (const [photo, item] of this.items) {
      if (all.includes(photo)) continue
      item.place.remove()
      this.items.delete(photo)
    }
    for (const photo of all) this.update(photo, photo === shown)
  }

  update(photo, shown) {
    const { place, button, picture, words } = this.items.get(photo) ?? this.add(photo)
    place.dataset.state = photo.state
    button.setAttribute("aria-current", String(shown))
    words.textContent = photo.state === "problem" ? photo.message : WORDS[photo.state]
    if (!photo.thumb || picture.shows === photo.thumb) return
    picture.shows = photo.thumb
    picture.width = photo.thumb.width
    picture.height = photo.thumb.height
    picture.getContext("2d").drawImage(photo.thumb, 0, 0)
  }

  add(photo) {
    const picture = make("canvas", { width: 4, height: 3 })
    picture.setAttribute("aria-hidden", "true")
    const words = make("span", { className: "state" })
    const name = make("span", { className: "name" }, photo.name)
    const button = make("button", { type: "button", title: photo.name }, picture, name, words)
    button.addEventListener("click", () => this.choose(photo))
    const item = { place: make("li", {}, button), button, picture, words }
    this.element.append(item.place)
    this.items.set(photo, item)
    return item
  }
}
