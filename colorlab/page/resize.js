// A photo at the network's size, byte for byte as Pillow's resize(BICUBIC, reducing_gap=3) gives it:
// first whole boxes of pixels become their mean, then a bicubic filter takes the rest of the way.

const GAP = 3
const BITS = 22 // of the fixed-point weights

/**
 * @param pixels four bytes a pixel, the fourth is not looked at
 * @returns three bytes a pixel, Uint8Array
 */
export function resize(pixels, width, height, toWidth, toHeight) {
    const across = Math.max(Math.trunc(width / toWidth / GAP), 1)
    const down = Math.max(Math.trunc(height / toHeight / GAP), 1)
    const boxes = reduce(pixels, width, height, across, down)
    // A box at the edge that is not full counts as the part that it is: the size stays a fraction.
    const x = weights(boxes.width, Math.fround(width / across), toWidth)
    const y = weights(boxes.height, Math.fround(height / down), toHeight)
    // Each pass rounds, so their order counts; Pillow 13 takes this one.
    if (boxes.height - toHeight > 2 * Math.max(boxes.width - toWidth, 0)) {
        const data = alongColumns(boxes.data, boxes.width, y, toHeight)
        return alongRows({ data, width: boxes.width, height: toHeight }, x, toWidth)
    }
    return alongColumns(alongRows(boxes, x, toWidth), toWidth, y, toHeight)
}

/** Boxes of across x down pixels become their mean: {data, width, height}, three bytes a pixel. */
function reduce(pixels, width, height, across, down) {
    const columns = Math.ceil(width / across)
    const rows = Math.ceil(height / down)
    const data = new Uint8Array(columns * rows * 3)
    const sums = new Uint32Array(columns * 3)
    for (let row = 0; row < rows; row++) {
        const bottom = Math.min((row + 1) * down, height)
        sums.fill(0)
        for (let y = row * down; y < bottom; y++) {
            let at = y * width * 4
            for (let column = 0; column < columns; column++) {
                const end = at + 4 * Math.min(across, width - column * across)
                let red = 0
                let green = 0
                let blue = 0
                for (; at < end; at += 4) {
                    red += pixels[at]
                    green += pixels[at + 1]
                    blue += pixels[at + 2]
                }
                sums[column * 3] += red
                sums[column * 3 + 1] += green
                sums[column * 3 + 2] += blue
            }
        }
        for (let i = 0; i < columns * 3; i++) {
            const inBox = Math.min(across, width - Math.floor(i / 3) * across) * (bottom - row * down)
            const inverse = Math.floor(2 ** 24 / inBox) // Pillow divides by multiplying
            data[row * columns * 3 + i] = ((sums[i] + (inBox >> 1)) * inverse) / 2 ** 24
        }
    }
    return { data, width: columns, height: rows }
}

/** For each new pixel: the first old one that counts, how many do, and what each counts. */
function weights(from, length, to) {
    const scale = length / to
    const stretch = Math.max(scale, 1)
    const support = 2 * stretch
    const most = Math.ceil(support) * 2 + 1
    const first = new Int32Array(to)
    const count = new Int32Array(to)
    const table = new Int32Array(to * most)
    for (let i = 0; i < to; i++) {
        const center = (i + 0.5) * scale
        first[i] = Math.max(Math.trunc(center - support + 0.5), 0)
        count[i] = Math.min(Math.trunc(center + support + 0.5), from) - first[i]
        const some = Array.from({ length: count[i] }, (_, k) =>
            bicubic((first[i] + k - center + 0.5) * (1 / stretch)),
        )
        const sum = some.reduce((a, b) => a + b, 0)
        some.forEach((weight, k) => {
            const fixed = (weight / sum) * 2 ** BITS
            table[i * most + k] = Math.trunc(fixed < 0 ? fixed - 0.5 : fixed + 0.5)
        })
    }
    return { first, count, table, most }
}

/** Keys' cubic with a = -1/2. */
function bicubic(x) {
    const a = -0.5
    x = Math.abs(x)
    if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1
    if (x < 2) return (((x - 5) * x + 8) * x - 4) * a
    return 0
}

function alongRows({ data, width, height }, { first, count, table, most }, to) {
    const out = new Uint8ClampedArray(to * height * 3)
    for (let y = 0; y < height; y++) {
        for (let i = 0; i < to; i++) {
            let red = 1 << (BITS - 1)
            let green = red
            let blue = red
            let at = (y * width + first[i]) * 3
            for (let k = i * most; k < i * most + count[i]; k++, at += 3) {
                red += data[at] * table[k]
                green += data[at + 1] * table[k]
                blue += data[at + 2] * table[k]
            }
            const target = (y * to + i) * 3
            out[target] = red >> BITS
            out[target + 1] = green >> BITS
            out[target + 2] = blue >> BITS
        }
    }
    return out
}

function alongColumns(data, width, { first, count, table, most }, to) {
    const row = width * 3
    const out = new Uint8ClampedArray(row * to)
    const sums = new Int32Array(row)
    for (let i = 0; i < to; i++) {
        sums.fill(1 << (BITS - 1))
        for (let k = 0; k < count[i]; k++) {
            const weight = table[i * most + k]
            const at = (first[i] + k) * row
            for (let x = 0; x < row; x++) sums[x] += data[at + x] * weight
        }
        for (let x = 0; x < row; x++) out[i * row + x] = sums[x] >> BITS
    }
    return out
}

/**
 * The size at which the network gets a photo, as colorlab.colorize.network_size: its short side
 * near `size`, both sides multiples of `stride`, the area of a 2 : 1 picture at most.
 * @returns [height, width]
 */
export function networkSize(height, width, size, stride) {
    const area = 2 * size ** 2
    const scale = Math.min(size / Math.min(height, width), Math.sqrt(area / (height * width)))
    const longest = Math.max(area / stride, stride)
    return [height, width].map((side) => {
        const steps = toEven(Math.min(side * scale, longest) / stride)
        return Math.max(steps, 1) * stride
    })
}

/** Python's round: halves go to the even neighbor. */
function toEven(x) {
    const rounded = Math.round(x)
    return Math.abs(x % 1) === 0.5 && rounded % 2 ? rounded - 1 : rounded
}
