"""MNIST Lab's core: everything but the pages. Importing it loads nothing else.

Packages, lowest first; each imports only from those above it in this list.

    basis       whose fault an error is; one kind of job beside a page
    storage     where files lie, whose they are and when they go
    imaging     the pixels of any picture -> the 28x28 a model sees
    network     the NumPy network and how it learns
    design      what to train: choices, rules, RunSpec, augmentation, recipes
    data        where digits come from: files, download, uploads, a visitor's own
    statistics  what pixels say: levels, shapes, projections, doubtful labels
    lessons     ideas to touch: the microscope, descent, overfitting, a line
    training    one run: events, control, loop, the engine (the only TensorFlow)
    estimates   what a run will take: this host measured, a design predicted
    runs        what is kept of runs: records, files, models, groups, expiry
    jobs        who trains them: service, dispatcher, cluster, worker, background
    analysis    how good a model is and why it erred; comparison, race, sweep
    charts      figures and their numbers
    exports     what can be taken away: scripts, notebook, logs, report
    tools       what the command line measures: bench, ablation, screenshots
    commands    the command line, a file a command
"""
