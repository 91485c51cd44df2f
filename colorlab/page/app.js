// The page: photos come in, the engine colors them, and the controls change the colors of the one
// that is shown.

import { byId, percent, say } from "./dom.js"
import { Engine } from "./engine.js"
import { Hinting } from "./hinting.js"
import { keepFiles } from "./offline.js"
import { Photos } from "./photos.js"
import { Divider } from "./slider.js"
import { Stage } from "./stage.js"
import { Strip } from "./strip.js"
import { showExamples, takePhotos } from "./taking.js"

const BETWEEN_FILES = 400 // ms; browsers drop downloads that come at once
const MEGABYTE = 1e6

let opened // resolves ready with the engine
let settings
const photos = new Photos(new Promise((resolve) => (opened = resolve)))
const stage = new Stage()
const strip = new Strip(byId("strip"), (photo) => photos.show(photo))
const divider = new Divider(byId("divider"), byId("photo"))
const hinting = new Hinting(suggest, (hints, again) => change({ hints }, again))
let onStage = null // the handle of the photo that the board shows

async function start() {
  byId("retry").hidden = true
  byId("loading").hidden = false
  byId("loading-text").textContent = "Loading the network"
  try {
    settings = await (await fetch("settings.json")).json()
    showExamples(settings.examples, take)
    const kept = await keepFiles(settings.version) // it may load the page anew
    const engine = await Engine.open(showProgress)
    settings = engine.settings
    opened(engine)
    byId("loading").hidden = true
    byId("backend").textContent = `Runs on this device with ${engine.backend}.`
    byId("about-model").textContent = `Weights: ${settings.model.name}. Made with colorlab ${settings.version}.`
    say("The network is loaded.")
    offerControls()
    showConnection(kept)
  } catch (error) {
    byId("loading-bar").hidden = true
    byId("loading-text").textContent = `The network could not be loaded: ${error.message}`
    byId("retry").hidden = false
    say(byId("loading-text").textContent)
  }
}

function showProgress({ loaded, total }) {
  const done = (loaded / MEGABYTE).toFixed(1)
  byId("loading-bar").hidden = false
  byId("loading-bar").value = loaded / total
  byId("loading-text").textContent = `Loading the network: ${done} of ${(total / MEGABYTE).toFixed(1)} MB`
}

function showConnection(kept) {
  const show = () => {
    const words = kept ? "Works offline." : ""
    byId("offline").textContent = navigator.onLine ? words : "You are offline. The page still works."
  }
  addEventListener("online", show)
  addEventListener("offline", show)
  show()
}

function offerControls() {
  const { hints, distribution } = settings.model
  byId("how").hidden = !hints
  byId("board").hidden = !hints
  byId("temperature-row").hidden = !distribution
  render()
}

// --- photos --------------------------------------------------------------------------------------

function take(files, credit) {
  if (!files.length) return
  photos.add(files, credit)
  say(`${files.length === 1 ? files[0].name : `${files.length} photos`} added`)
}

photos.addEventListener("change", ({ detail: photo }) => {
  if (photo?.state === "done") say(`${photo.name} is colored`)
  if (photo?.state === "problem") say(`${photo.name}: ${photo.message}`)
  render()
})

function render() {
  const { all, shown } = photos
  byId("empty").hidden = all.length > 0
  byId("work").hidden = !all.length
  strip.show(all, shown)
  byId("download-all").hidden = all.length < 2
  byId("download-all").disabled = !all.some((photo) => photo.state === "done")
  if (!shown) return
  stage.show(shown)
  const open = Boolean(shown.colored)
  if (open && onStage !== shown.handle) {
    hinting.open(shown.handle, shown.history.now.hints)
  } else if (open) {
    hinting.show(shown.history.now.hints)
  }
  onStage = open ? shown.handle : onStage
  showControls(shown, open)
}

// --- changing the colors -------------------------------------------------------------------------

async function suggest(x, y, hints) {
  const engine = await photos.ready
  return engine.suggest(photos.shown.handle.id, x, y, hints)
}

function change(part, again = false) {
  const { history } = photos.shown
  history.set({ ...history.now, ...part }, again)
  photos.recolor(photos.shown)
}

function step(move) {
  const photo = photos.shown
  if (!photo?.colored) return
  const before = photo.history.now
  move(photo.history)
  if (photo.history.now !== before) photos.recolor(photo)
}

function showControls({ history }, open) {
  const { saturation, temperature } = history.now
  byId("controls").hidden = photos.shown.state === "problem" && !open
  byId("controls").inert = !open
  byId("undo").disabled = !history.canUndo
  byId("redo").disabled = !history.canRedo
  byId("restart").disabled = history.now === history.start
  byId("saturation").value = saturation
  byId("saturation-value").textContent = saturation === 1 ? "as trained" : percent(saturation)
  byId("saturation-back").disabled = saturation === 1
  byId("temperature").value = temperature ?? 0.5
  byId("temperature").classList.toggle("unset", temperature === null)
  byId("temperature-value").textContent = temperature?.toFixed(2) ?? "as trained"
  byId("temperature-back").disabled = temperature === null
  for (const id of ["saturation", "temperature"])
    byId(id).setAttribute("aria-valuetext", byId(`${id}-value`).textContent)
}

for (const id of ["saturation", "temperature"]) {
  let again = false
  byId(id).addEventListener("input", ({ target }) => {
    change({ [id]: Number(target.value) }, again)
    again = true
  })
  byId(id).addEventListener("change", () => (again = false))
  byId(`${id}-back`).addEventListener("click", () => {
    change({ [id]: photos.shown.history.start[id] })
    byId(id).focus()
  })
}
byId("undo").addEventListener("click", () => step((history) => history.undo()))
byId("redo").addEventListener("click", () => step((history) => history.redo()))
byId("restart").addEventListener("click", () => step((history) => history.set(history.start)))
document.addEventListener("keydown", (event) => {
  if (!(event.ctrlKey || event.metaKey) || byId("about").open) return
  const key = event.key.toLowerCase()
  const back = key === "z" && !event.shiftKey
  if (!back && key !== "z" && key !== "y") return
  event.preventDefault()
  step((history) => (back ? history.undo() : history.redo()))
})
byId("photo").addEventListener("pointerdown", (event) => {
  const canvas = event.target === byId("gray") || event.target === byId("colored")
  if (canvas && photos.shown.colored) divider.drag(byId("photo"), event) // where no hint is taken
})

// --- files and the rest --------------------------------------------------------------------------

async function download(photo) {
  try {
    const { blob, name } = await photos.encode(photo)
    const address = URL.createObjectURL(blob)
    Object.assign(document.createElement("a"), { href: address, download: name }).click()
    setTimeout(() => URL.revokeObjectURL(address), 60_000)
    say(`${name} is downloaded`)
  } catch (error) {
    photos.turn(photo, "problem", error.message)
  }
}

byId("download").addEventListener("click", () => download(photos.shown))
byId("download-all").addEventListener("click", async () => {
  for (const photo of photos.all.filter((one) => one.state === "done")) {
    await download(photo)
    await new Promise((resolve) => setTimeout(resolve, BETWEEN_FILES))
  }
})
byId("remove").addEventListener("click", () => photos.remove(photos.shown))
byId("retry").addEventListener("click", start)
byId("about-open").addEventListener("click", () => {
  byId("about").showModal()
  byId("about-title").focus() // else the button at its end, and a phone scrolls there
})
addEventListener("beforeinstallprompt", (event) => {
  event.preventDefault()
  byId("install").hidden = false
  byId("install").onclick = () => event.prompt()
})
addEventListener("appinstalled", () => (byId("install").hidden = true))

takePhotos(take)
start()
