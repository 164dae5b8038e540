"""The style sheet of the app: dense like an instrument; on a narrow screen the picture comes before its controls.

The list of networks is wider than its field: an entry is a line of words.
"""

STYLE = """<style>
.stMainBlockContainer { max-width: 1240px; padding-left: 1.6rem; padding-right: 1.6rem; }
.stMainBlockContainer [data-testid="stVerticalBlock"] { gap: 0.7rem; }
[data-testid="stCaptionContainer"] p { line-height: 1.4; }
[data-testid="stText"] { font-variant-numeric: tabular-nums; }
[data-testid="stExpander"] summary { padding: 0.35rem 0.7rem; }
[data-testid="stSelectboxVirtualDropdown"]:has([role="listbox"][aria-label="Network"]) {
  width: min(50rem, calc(100vw - 2rem)) !important;
}
@media (min-width: 641px) {
  [data-testid="stSidebar"] { max-width: 240px; }
}
@media (max-width: 640px) {
  .stMainBlockContainer { padding-left: 1rem; padding-right: 1rem; }
  [role="listbox"][aria-label="Network"] [role="option"] * {
    white-space: normal; font-size: 0.75rem; line-height: 1.15;
  }
  [data-testid="stLayoutWrapper"]:has(> .st-key-viewer), .st-key-viewer { order: -1; }
}
</style>"""
