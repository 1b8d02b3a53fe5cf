"""The report of a run: one HTML file for the modeller, the compliance officer and the partner."""

from parties.report.page import render as render
