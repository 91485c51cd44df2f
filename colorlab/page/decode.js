// A file -> upright sRGB pixels with their alpha; what can't be read is refused in plain words.

import { PhotoError } from "./errors.js"
import { look } from "./kinds.js"

const STRIP = 1024 // rows: some browsers have no canvas for a whole photo of a good camera

/**
 * @param blob the file
 * @param mostPixels of a photo that is read
 * @returns {pixels: RGBA, width, height, notes: [text], alpha: whether any pixel is transparent}
 */
export async function decoded(blob, mostPixels) {
    const known = look(await bytesOf(blob))
    if (known.problem) throw new PhotoError(known.problem)
    refuseLarge(known.width, known.height, mostPixels)
    let image
    try {
        const whole = known.end ? new Blob([blob, known.end]) : blob
        image = await createImageBitmap(whole, { imageOrientation: "from-image" })
    } catch {
        throw new PhotoError(known.unread)
    }
    const { width, height } = image
    refuseLarge(width, height, mostPixels)
    try {
        const pixels = pixelsOf(image)
        return { pixels, width, height, notes: known.notes, alpha: hasAlpha(pixels) }
    } catch {
        throw new PhotoError(
            `This browser has too little memory for a photo of ${width} × ${height} pixels. Close ` +
                "other tabs, or save a smaller copy and open that.",
        )
    } finally {
        image.close()
    }
}

async function bytesOf(blob) {
    try {
        return new Uint8Array(await blob.arrayBuffer())
    } catch {
        throw new PhotoError("The file could not be read. Is it still there? Choose it again.")
    }
}

function refuseLarge(width, height, most) {
    if (!(width * height > most)) return
    const millions = (n) => Math.round(n / 1e6)
    throw new PhotoError(
        `The photo has ${millions(width * height)} megapixels, and this page can color ` +
            `${millions(most)} at most. Save a smaller copy, or color it on the command line: ` +
            "`colorlab colorize`.",
    )
}

/** Where a pixel is transparent, its color is what a canvas keeps of it. */
function pixelsOf(image) {
    const { width, height } = image
    const pixels = new Uint8ClampedArray(width * height * 4)
    const canvas = new OffscreenCanvas(width, Math.min(height, STRIP))
    const context = canvas.getContext("2d", { willReadFrequently: true })
    for (let top = 0; top < height; top += STRIP) {
        const rows = Math.min(STRIP, height - top)
        context.clearRect(0, 0, width, rows)
        context.drawImage(image, 0, top, width, rows, 0, 0, width, rows)
        pixels.set(context.getImageData(0, 0, width, rows).data, top * width * 4)
    }
    return pixels
}

function hasAlpha(pixels) {
    for (let i = 3; i < pixels.length; i += 4) if (pixels[i] < 255) return true
    return false
}
