// sRGB of eight bits -> CIE Lab and back, and the gamut, as colorlab/color.py has them.
//
//     sRGB  --decode-->  linear RGB  --matrix-->  XYZ / white  --cube root-->  f  --differences--> Lab
//
// Eight bits make tables possible: one decodes a channel, one encodes it. `f` below is always the
// middle one of the three, that of Y: L = 116 f - 16.

const BINS = 4096 // of linear light: no bin holds more than one border between two 8-bit levels

export class Color {
    /** @param numbers "color" of settings.json */
    constructor(numbers) {
        this.numbers = numbers
        const { RGB_TO_XYZ, XYZ_TO_RGB, WHITE, HALF_8BIT_STEP } = numbers
        this.toXyz = RGB_TO_XYZ.flatMap((row, i) => row.map((m) => m / WHITE[i]))
        this.toRgb = XYZ_TO_RGB.flatMap((row) => row.map((m, i) => m * WHITE[i]))
        this.linear = Float64Array.from({ length: 256 }, (_, level) => this.decode(level / 255))
        this.lowest = this.decode(-HALF_8BIT_STEP) // inside the gamut, as linear light
        this.highest = this.decode(1 + HALF_8BIT_STEP)
        // The border above each level, and the level at the lower end of each bin.
        this.border = Float64Array.from({ length: 256 }, (_, level) => this.decode((level + 0.5) / 255))
        this.border[255] = Infinity
        this.levels = new Uint8Array(BINS + 1)
        for (let bin = 1, level = 0; bin <= BINS; bin++) {
            while (bin / BINS >= this.border[level]) level++
            this.levels[bin] = level
        }
        this.grayF = Float64Array.from(this.linear, (light) => this.root(light))
    }

    /** sRGB value -> linear light. */
    decode(value) {
        const { SRGB_KNEE, LINEAR_SLOPE } = this.numbers
        const high = Math.max(value, SRGB_KNEE)
        return ((high + 0.055) / 1.055) ** 2.4 + (value - high) / LINEAR_SLOPE
    }

    /** A cube root with its tangent near zero. */
    root(t) {
        const { XYZ_KNEE, F_SLOPE } = this.numbers
        return t > XYZ_KNEE ? Math.cbrt(t) : Math.cbrt(XYZ_KNEE) + (t - XYZ_KNEE) * F_SLOPE
    }

    /** The inverse of `root`. */
    cube(f) {
        const { F_KNEE, F_SLOPE } = this.numbers
        return f > F_KNEE ? f * f * f : F_KNEE ** 3 + (f - F_KNEE) / F_SLOPE
    }

    /** Linear light -> 0 to 255, rounded, clipped. */
    level(light) {
        if (!(light > 0)) return 0
        if (light >= 1) return 255
        const low = this.levels[(light * BINS) | 0]
        return light >= this.border[low] ? low + 1 : low
    }

    /** f of Y of a pixel. */
    f(red, green, blue) {
        if (red === green && green === blue) return this.grayF[red]
        const { linear, toXyz: m } = this
        return this.root(m[3] * linear[red] + m[4] * linear[green] + m[5] * linear[blue])
    }

    /** [L, a, b] of a pixel, in CIE units. */
    lab(red, green, blue) {
        const { linear, toXyz: m } = this
        const [r, g, b] = [linear[red], linear[green], linear[blue]]
        const x = this.root(m[0] * r + m[1] * g + m[2] * b)
        const y = this.root(m[3] * r + m[4] * g + m[5] * b)
        const z = this.root(m[6] * r + m[7] * g + m[8] * b)
        return [116 * y - 16, 500 * (x - y), 200 * (y - z)]
    }

    /** Whether sRGB shows f(Y) with the differences x = a / 500 and z = b / 200. */
    shows(f, x, z) {
        const { toRgb: m, lowest, highest } = this
        const [X, Y, Z] = [this.cube(f + x), this.cube(f), this.cube(f - z)]
        const r = m[0] * X + m[1] * Y + m[2] * Z
        const g = m[3] * X + m[4] * Y + m[5] * Z
        const b = m[6] * X + m[7] * Y + m[8] * Z
        return (
            r >= lowest && r <= highest && g >= lowest && g <= highest && b >= lowest && b <= highest
        )
    }

    /** The largest share of the chroma that sRGB shows, found by bisection; 1 inside the gamut. */
    share(f, x, z) {
        if (this.shows(f, x, z)) return 1
        let low = 0
        for (let step = 0.5; step > 1 / 2048; step /= 2) {
            if (this.shows(f, x * (low + step), z * (low + step))) low += step
        }
        return low
    }

    /** Write L (as f of Y) with a and b (CIE units) as three levels; chroma gives way, L stays. */
    write(f, a, b, out, at) {
        const { toRgb: m } = this
        let x = a / 500
        let z = b / 200
        let X = this.cube(f + x)
        let Z = this.cube(f - z)
        const Y = this.cube(f)
        let red = m[0] * X + m[1] * Y + m[2] * Z
        let green = m[3] * X + m[4] * Y + m[5] * Z
        let blue = m[6] * X + m[7] * Y + m[8] * Z
        const { lowest, highest } = this
        if (
            !(red >= lowest && red <= highest && green >= lowest && green <= highest &&
                blue >= lowest && blue <= highest)
        ) {
            const share = this.share(f, x, z)
            X = this.cube(f + x * share)
            Z = this.cube(f - z * share)
            red = m[0] * X + m[1] * Y + m[2] * Z
            green = m[3] * X + m[4] * Y + m[5] * Z
            blue = m[6] * X + m[7] * Y + m[8] * Z
        }
        out[at] = this.level(red)
        out[at + 1] = this.level(green)
        out[at + 2] = this.level(blue)
    }

    /** The sRGB color [r, g, b] of L (0 to 100) with a and b. */
    rgb(L, a, b) {
        const out = [0, 0, 0]
        this.write((Math.min(Math.max(L, 0), 100) + 16) / 116, a, b, out, 0)
        return out
    }
}
