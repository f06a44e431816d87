// A person's name: how it is checked and remembered, and the initials and tint that stand for it.

const REMEMBERED = "roomwire-chat-name";
const LONGEST = 40;
const TINTS = 8;

/** The name as it may be sent, or null when it is empty or too long. */
export function usableName(typed) {
  const name = typed.replace(/\s+/g, " ").trim();
  return name.length > 0 && [...name].length <= LONGEST ? name : null;
}

export function rememberedName() {
  try {
    return usableName(localStorage.getItem(REMEMBERED) ?? "");
  } catch {
    return null; // storage may be switched off; then the name is asked for each time
  }
}

export function rememberName(name) {
  try {
    localStorage.setItem(REMEMBERED, name);
  } catch {
    // nothing is lost but the convenience
  }
}

export function initials(name) {
  const words = name.split(" ").filter(Boolean);
  const letters = words.length > 1 ? [words[0], words.at(-1)].map((word) => [...word][0]) : [...(words[0] ?? "?")].slice(0, 2);
  return letters.join("").toUpperCase();
}

/** One of the avatar colours of style.css. By name and not by id, so that it survives a reconnection. */
export function tint(name) {
  let sum = 0;
  for (const character of name) sum = (sum * 31 + character.codePointAt(0)) % 9973;
  return String(sum % TINTS);
}

export function wear(avatar, name) {
  avatar.textContent = initials(name);
  avatar.dataset.tint = tint(name);
}
