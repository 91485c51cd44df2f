/** A photo that can't be read or written; the message says why and what to do. */
export class PhotoError extends Error {
    name = "PhotoError"
}
