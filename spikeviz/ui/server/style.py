"""The style sheet of the app: dense like an instrument; sliders stay in view while the figures that they move scroll.

On a wide screen they stand below the header, on a narrow one in a bar at the bottom, behind the page in its order, so
that the bar covers nothing at its end. A narrow screen shows the picture before its controls. The list of networks is
wider than its field: an entry is a line of words.
"""

STYLE = """<style>
.stMainBlockContainer { max-width: 1240px; padding-left: 1.6rem; padding-right: 1.6rem; }
.stMainBlockContainer [data-testid="stVerticalBlock"] { gap: 0.6rem; }
[data-testid="stCaptionContainer"] p { line-height: 1.4; }
[data-testid="stText"] { font-variant-numeric: tabular-nums; }
[data-testid="stExpander"] summary { padding: 0.35rem 0.7rem; }
[data-testid="stLayoutWrapper"]:has(> .st-key-preload) {
  position: absolute; left: 0; bottom: 0; width: 320px; height: 0; overflow: hidden; visibility: hidden;
}
.network-card { font-size: 0.85rem; }
.network-card td:last-child { overflow-wrap: anywhere; }
[data-testid="stSelectboxVirtualDropdown"]:has([role="listbox"][aria-label="Network"]) {
  width: min(50rem, calc(100vw - 2rem)) !important;
}

/* The tools of a chart, at the end of the line of its axis title: they cover no data. A finger has no use for them. */
[data-testid="stPlotlyChart"] { isolation: isolate; }
[data-testid="stPlotlyChart"] .modebar-container { top: calc(100% - 27px) !important; }
@media (hover: none), (pointer: coarse) {
  [data-testid="stPlotlyChart"] .modebar-container { display: none !important; }
}

.stApp { --edge: color-mix(in srgb, currentColor 16%, transparent); }
[data-testid="stLayoutWrapper"]:has(> .st-key-sliders) {
  position: sticky; z-index: 30;
  background: Canvas; background: light-dark(#FFFFFF, #12161B);
}
.st-key-viewer { isolation: isolate; }
@media (min-width: 641px) {
  .stMainBlockContainer h1 { padding: 0.2rem 0; }
  [class*="_status"] > :has(> [data-testid="stMarkdown"] [data-testid="stCaptionContainer"]) { flex: 1 1 26rem; }
  [data-testid="stSidebar"] { max-width: 240px; }
  [data-testid="stLayoutWrapper"]:has(> .st-key-sliders) { top: 3.75rem; box-shadow: 0 1px var(--edge); }
  .st-key-sliders { max-height: 40vh; overflow: auto; padding: 0.3rem 0; }
  .stMain :is(a, button, input, select, summary, textarea, [tabindex]):not(.st-key-sliders *) {
    scroll-margin-top: 12rem;
  }
}
@media (max-width: 640px) {
  .stMainBlockContainer { padding-left: 1rem; padding-right: 1rem; padding-bottom: 0; }
  [role="listbox"][aria-label="Network"] [role="option"] * {
    white-space: normal; font-size: 0.75rem; line-height: 1.15;
  }
  [data-testid="stLayoutWrapper"]:has(> .st-key-viewer), .st-key-viewer { order: -1; }
  [data-testid="stLayoutWrapper"]:has(> .st-key-sliders) { bottom: 0; order: 1; box-shadow: 0 -1px var(--edge); }
  .st-key-sliders {
    max-height: 25vh; overflow: auto; overscroll-behavior: contain;
    padding: 0.4rem 2px calc(0.4rem + env(safe-area-inset-bottom));
  }
  .st-key-sliders [data-testid="stHorizontalBlock"]:has(> [data-testid="stColumn"]) {
    flex-wrap: nowrap; gap: 1rem; overflow-x: auto; scrollbar-width: thin;
  }
  .st-key-sliders [data-testid="stColumn"] { flex: 1 0 42%; min-width: 42%; }
  .st-key-sliders [data-testid="stColumn"]:has([class*="_choices"]) { flex: none; width: max-content; }
  .st-key-sliders [class*="_choices"], .st-key-sliders [class*="_choices"] [role="group"],
  .st-key-sliders [class*="_choices"] [data-testid="stButtonGroup"] > * { flex-wrap: nowrap; width: max-content; }
  .st-key-sliders [class*="_choices"] > * { flex: none; }
  .stMain :is(a, button, input, select, summary, textarea, [tabindex]):not(.st-key-sliders *) {
    scroll-margin-bottom: 27vh;
  }
}
</style>"""
