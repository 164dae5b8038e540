// A small drawing of a network: its blocks in forward order, in them the layers as boxes. The list beside it is the way
// of the keyboard, so that this one is for the eye and the pointer alone.

// groups: [block, [[part, [layer, ...]], ...]], ...; how: the chosen layer, names and marks of layers, `take` of a
// click, and `lacks`, which says of a layer why it cannot be chosen.
function drawNetwork(place, groups, how) {
  const key = JSON.stringify(groups), make = (name, words, ...children) => {
    const made = document.createElement("span");
    made.className = name;
    if (words) made.append(Object.assign(document.createElement("small"), { textContent: words }));
    made.append(...children);
    return made;
  };
  if (place.dataset.key !== key) {
    const box = (layer) => {
      const made = Object.assign(document.createElement("b"), { textContent: how.marks[layer] || "" });
      made.dataset.layer = layer;
      return made;
    };
    const part = ([words, layers]) => make("sv-part", words, make("sv-boxes", "", ...layers.map(box)));
    place.replaceChildren(...groups.map(([words, parts]) => make("sv-block", words, make("sv-parts", "", ...parts.map(part)))));
    place.dataset.key = key;
  }
  for (const box of place.querySelectorAll("b")) {
    const layer = box.dataset.layer, lacks = how.lacks(layer);
    box.title = [`${how.names[layer]} (${layer})`, lacks].filter(Boolean).join(": ");
    box.classList.toggle("chosen", layer === how.chosen);
    box.classList.toggle("off", Boolean(lacks));
    box.onclick = lacks ? null : () => how.take(layer);
    if (layer === how.chosen && place.dataset.chosen !== layer) {  // comes into view where there is no room for all
      place.dataset.chosen = layer;
      place.scrollLeft = box.offsetLeft - place.offsetLeft - place.clientWidth / 2;
    }
  }
}
