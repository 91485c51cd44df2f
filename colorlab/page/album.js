// The photos that are open: from pixels to what the network sees, and back to full size.

import { Color } from "./color.js"
import { decoded } from "./decode.js"
import { PhotoError } from "./errors.js"
import { guidedCoefficients } from "./guided.js"
import { lay } from "./hints.js"
import { marked } from "./mark.js"
import { topColors } from "./palette.js"
import { paint } from "./paint.js"
import { networkSize, resize } from "./resize.js"

const SUGGESTIONS = 5
const JPEG_QUALITY = 0.95

export class Album {
    #photos = new Map()
    #last = 0

    constructor(settings, network) {
        this.settings = settings
        this.network = network
        this.paper = new Color(settings.color)
    }

    async read(blob) {
        const { pixels, width, height, notes, alpha } = await decoded(blob, this.settings.most_pixels)
        const id = ++this.#last
        const { size, stride } = this.settings.model
        const [h, w] = networkSize(height, width, size, stride)
        const seen = { lightness: this.#lightness(resize(pixels, width, height, w, h)), h, w }
        this.#photos.set(id, { pixels, width, height, alpha, seen, predictions: new Map() })
        return { id, width, height, notes, alpha }
    }

    async color(id, { hints, temperature, saturation }) {
        const photo = this.#photo(id)
        const began = performance.now()
        const { lines } = await this.#predicted(photo, hints, temperature)
        const between = performance.now()
        photo.colored = paint(this.paper, photo.pixels, photo.width, photo.height, lines, saturation)
        const picture = await bitmap(photo.colored, photo)
        return { picture, ms: { network: between - began, fullSize: performance.now() - between } }
    }

    gray(id) {
        const photo = this.#photo(id)
        return bitmap(paint(this.paper, photo.pixels, photo.width, photo.height, null, 0), photo)
    }

    async suggest(id, x, y, hints) {
        if (!this.settings.model.distribution) {
            throw new Error("these weights know no distribution of colors")
        }
        const photo = this.#photo(id)
        const { logits } = await this.#predicted(photo, hints, null)
        const row = Math.floor((y * logits.height) / photo.height)
        const column = Math.floor((x * logits.width) / photo.width)
        const cells = logits.height * logits.width
        const here = this.settings.palette.bins.map(
            (_, bin) => logits.data[bin * cells + row * logits.width + column],
        )
        const at = (y * photo.width + x) * 4
        const [lightness] = this.paper.lab(...photo.pixels.subarray(at, at + 3))
        return topColors(this.paper, this.settings.palette, here, lightness, SUGGESTIONS)
    }

    async encode(id, type) {
        const photo = this.#photo(id)
        if (!photo.colored) throw new Error("this photo has not been colored yet")
        if (photo.alpha && type === "image/jpeg") {
            throw new PhotoError("A JPEG can't hold the transparency of this photo. Save it as PNG.")
        }
        const canvas = new OffscreenCanvas(photo.width, photo.height)
        const context = canvas.getContext("2d", { alpha: photo.alpha })
        context.putImageData(new ImageData(photo.colored, photo.width, photo.height), 0, 0)
        let blob
        try {
            blob = await canvas.convertToBlob({ type, quality: JPEG_QUALITY })
        } catch {
            throw new PhotoError(
                "This browser can't save so large a picture. Color the photo with `colorlab colorize`.",
            )
        }
        const bytes = new Uint8Array(await blob.arrayBuffer())
        return new Blob(marked(bytes, this.settings.mark), { type: blob.type })
    }

    close(id) {
        this.#photos.delete(id)
    }

    #photo(id) {
        const photo = this.#photos.get(id)
        if (!photo) throw new Error(`no photo ${id} is open`)
        return photo
    }

    /** L in [-1, 1] of pixels of three bytes. */
    #lightness(small) {
        const half = this.settings.color.L_HALF_RANGE
        const out = new Float32Array(small.length / 3)
        for (let i = 0; i < out.length; i++) {
            out[i] = (116 * this.paper.f(small[3 * i], small[3 * i + 1], small[3 * i + 2]) - 16) / half - 1
        }
        return out
    }

    /** The last prediction for each set of hints and temperature that is asked for again. */
    async #predicted(photo, hints, temperature) {
        const key = JSON.stringify([hints, temperature])
        if (!photo.predictions.has(key)) {
            const { lightness, h, w } = photo.seen
            const { hints: takes } = this.settings.model
            const planes = takes ? lay(this.paper, hints, [photo.height, photo.width], [h, w]) : null
            const { ab, logits } = await this.network.run(lightness, planes, temperature, h, w)
            const data = guidedCoefficients(lightness, ab, h, w, this.settings.guided)
            photo.predictions.clear()
            photo.predictions.set(key, { lines: { data, height: h, width: w }, logits })
        }
        return photo.predictions.get(key)
    }
}

function bitmap(pixels, { width, height }) {
    return createImageBitmap(new ImageData(pixels, width, height))
}
