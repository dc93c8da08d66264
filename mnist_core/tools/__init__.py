"""What the command line measures and pictures: the bench, the ablation, the screenshots.

The app never imports it. May import `design`, `data`, `training`, `estimates`, `runs`, `jobs`,
`analysis` and `exports`.
"""
