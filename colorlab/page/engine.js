// The seam between the page and the colorizer. All heavy work happens in worker.js, one job at a
// time; here stand the queue and the promises.

import { PhotoError } from "./errors.js"

export { PhotoError }

/** A color() that was not begun, because a newer one of the same photo came. */
export class Superseded extends Error {
    name = "Superseded"
}

export class Engine {
    #worker
    #onProgress
    #jobs = [] // the first one may be at work
    #busy = false
    #broken = null

    /**
     * Fetch the settings, the runtime and the model.
     * @param onProgress called with {loaded, total} in bytes
     */
    static async open(onProgress = () => {}) {
        const engine = new Engine(onProgress)
        try {
            const { settings, backend } = await engine.#ask("open", {})
            engine.settings = settings // of settings.json
            engine.backend = backend // "WASM, 4 threads" or "WebGPU"
            return engine
        } catch (error) {
            engine.#worker.terminate()
            throw error
        }
    }

    constructor(onProgress) {
        this.#onProgress = onProgress
        this.#worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" })
        this.#worker.onmessage = ({ data }) => this.#hear(data)
        this.#worker.onerror = (event) => {
            event.preventDefault()
            this.#stop(new Error(event.message || "worker.js could not be loaded; reload the page"))
        }
    }

    /** Decode a photo, upright: {id, width, height, notes: [text], alpha}. Rejects with PhotoError. */
    read(blob) {
        return this.#ask("read", { blob })
    }

    /**
     * Color a photo: {picture, ms: {network, fullSize}}, the picture an ImageBitmap at full size.
     * Saturation alone does not run the network again. Rejects with Superseded where a newer call
     * for the same photo came before this one was begun.
     * @param hints [{x, y, color: [r, g, b]}] in pixels of the upright photo
     * @param temperature null: as trained; 0 (the likeliest colors) to 1 (their mean)
     * @param saturation 0: gray, 1: as predicted, or more
     */
    color(id, { hints = [], temperature = null, saturation = 1 } = {}) {
        this.#supersede(id)
        return this.#ask("color", { id, hints, temperature, saturation })
    }

    /** The photo before: its lightness alone, an ImageBitmap at full size. */
    gray(id) {
        return this.#ask("gray", { id })
    }

    /** Likely colors at a pixel: [{color: [r, g, b], share}], at most 5, the likeliest first. */
    suggest(id, x, y, hints = []) {
        return this.#ask("suggest", { id, x, y, hints })
    }

    /** The last colored picture at full size as a file that says that its colors are made. */
    encode(id, type) {
        return this.#ask("encode", { id, type })
    }

    /** Forget a photo and free its memory. */
    close(id) {
        this.#supersede(id)
        return this.#ask("close", { id })
    }

    #ask(task, given) {
        return new Promise((resolve, reject) => {
            if (this.#broken) return reject(this.#broken)
            this.#jobs.push({ task, given, resolve, reject })
            this.#next()
        })
    }

    #next() {
        if (this.#busy || !this.#jobs.length) return
        this.#busy = true
        const { task, given } = this.#jobs[0]
        this.#worker.postMessage({ task, given })
    }

    #hear({ progress, answer, error }) {
        if (progress) return this.#onProgress(progress)
        const { resolve, reject } = this.#jobs.shift()
        this.#busy = false
        if (error) reject(error.name === "PhotoError" ? new PhotoError(error.message) : plain(error))
        else resolve(answer)
        this.#next()
    }

    #supersede(id) {
        const waits = (job, i) => job.task === "color" && job.given.id === id && !(this.#busy && i === 0)
        const late = this.#jobs.filter(waits)
        this.#jobs = this.#jobs.filter((job) => !late.includes(job))
        for (const job of late) job.reject(new Superseded("a newer coloring of this photo was asked for"))
    }

    #stop(error) {
        this.#broken = error
        for (const job of this.#jobs.splice(0)) job.reject(error)
    }
}

function plain({ name, message }) {
    return Object.assign(new Error(message), { name })
}
