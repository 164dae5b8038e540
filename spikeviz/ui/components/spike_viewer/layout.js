// Where the pictures of the viewer stand: the large one, and the small ones beside it, or below it where there is little
// room.
const GAP = 8, LABEL = 34;

function layout(width, count) {
  const beside = width >= 560, big = beside ? Math.min(300, width * 0.4) : Math.min(width, 300);
  const left = beside ? big + 2 * GAP : 0, top = beside ? 0 : big + LABEL + GAP, room = width - left;
  let size = 54;
  for (let columns = 1; columns <= count; columns++) {
    const each = Math.min(148, (room - GAP * (columns - 1)) / columns), rows = Math.ceil(count / columns);
    if (rows * (each + LABEL) <= big + LABEL + 2 && each > size) size = each;
  }
  const columns = Math.max(1, Math.floor((room + GAP) / (size + GAP)));
  const small = Array.from({ length: count }, (_, i) => ({
    x: left + (i % columns) * (size + GAP), y: top + Math.floor(i / columns) * (size + LABEL), size }));
  const last = small[count - 1];
  return { big, small, height: Math.max(beside ? big + LABEL : 0, last.y + size + LABEL) };
}
