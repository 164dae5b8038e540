"""The style sheet of the app: dense like an instrument; on a narrow screen the picture comes before its controls."""

STYLE = """<style>
.stMainBlockContainer { max-width: 1240px; padding-left: 1.6rem; padding-right: 1.6rem; }
.stMainBlockContainer [data-testid="stVerticalBlock"] { gap: 0.7rem; }
[data-testid="stCaptionContainer"] p { line-height: 1.4; }
[data-testid="stText"] { font-variant-numeric: tabular-nums; }
[data-testid="stExpander"] summary { padding: 0.35rem 0.7rem; }
@media (min-width: 641px) {
  [data-testid="stSidebar"] { max-width: 240px; }
}
@media (max-width: 640px) {
  .stMainBlockContainer { padding-left: 1rem; padding-right: 1rem; }
  [data-testid="stLayoutWrapper"]:has(> .st-key-viewer), .st-key-viewer { order: -1; }
}
</style>"""
