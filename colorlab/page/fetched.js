/** The answer for a file beside this one; an error where it can't be had. */
export async function fetched(name) {
    let answer
    try {
        answer = await fetch(new URL(name, import.meta.url))
    } catch {
        throw new Error(`${name} could not be fetched. Check the connection and try again.`)
    }
    if (!answer.ok) {
        throw new Error(
            `${name} could not be fetched (status ${answer.status}). Try again later. If you run this ` +
                "page, build it again.",
        )
    }
    return answer
}
