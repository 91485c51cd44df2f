// Coarse color carried to full size: the local lines are enlarged bilinearly and applied to the L of
// each pixel, which stays as it is.

/**
 * @param color a Color
 * @param pixels RGBA of the photo; its alpha goes along
 * @param lines {data, height, width} of guidedCoefficients; null: no color
 * @param saturation factor on the chroma
 * @returns RGBA, Uint8ClampedArray
 */
export function paint(color, pixels, width, height, lines, saturation) {
    const out = new Uint8ClampedArray(pixels.length)
    const { L_HALF_RANGE, AB_RANGE } = color.numbers
    const strength = saturation * AB_RANGE
    const small = lines ?? { data: new Float32Array(4), height: 1, width: 1 }
    const across = places(small.width, width)
    const down = places(small.height, height)
    const line = new Float64Array(small.width * 4)
    const row = small.width * 4
    let at = 0
    for (let y = 0; y < height; y++) {
        const above = down.first[y] * row
        const below = down.second[y] * row
        const share = down.share[y]
        for (let i = 0; i < row; i++) {
            line[i] = small.data[above + i] * (1 - share) + small.data[below + i] * share
        }
        for (let x = 0; x < width; x++, at += 4) {
            const f = color.f(pixels[at], pixels[at + 1], pixels[at + 2])
            const lightness = (116 * f - 16) / L_HALF_RANGE - 1
            const left = across.first[x] * 4
            const right = across.second[x] * 4
            const right_ = across.share[x]
            const left_ = 1 - right_
            const a =
                (line[left] * left_ + line[right] * right_) * lightness +
                line[left + 2] * left_ + line[right + 2] * right_
            const b =
                (line[left + 1] * left_ + line[right + 1] * right_) * lightness +
                line[left + 3] * left_ + line[right + 3] * right_
            color.write(f, a * strength, b * strength, out, at)
            out[at + 3] = pixels[at + 3]
        }
    }
    return out
}

/** Of each large pixel: the two small ones it lies between, and the share of the second. */
function places(small, large) {
    const first = new Int32Array(large)
    const second = new Int32Array(large)
    const share = new Float64Array(large)
    for (let i = 0; i < large; i++) {
        const place = Math.min(Math.max(((i + 0.5) * small) / large - 0.5, 0), small - 1)
        first[i] = Math.floor(place)
        second[i] = Math.min(first[i] + 1, small - 1)
        share[i] = place - first[i]
    }
    return { first, second, share }
}
