export function show(text) {
  const entry = document.createElement("li");
  entry.textContent = text;
  document.getElementById("messages").append(entry);
}
