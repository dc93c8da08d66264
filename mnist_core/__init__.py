"""MNIST Lab's core: everything but the pages. Importing it loads nothing else.

Data
    dataset    where the digits come from: MNIST_DATA, the cache or the sample; read once, shared
    files      files of digits: read strictly, written whole, kept in one folder
    download   the full set from the network, checked by SHA-256
    uploads    digits from a stranger's files: .npz, IDX, a ZIP of pictures; checked and limited
    own        a visitor's own data sets: kept for a day, found by their owner only
    habits     digits as other people write them, for training
    pixels     what the pixels say: gray levels of a split or a class, pixel by pixel
    shapes     the shape of each digit: ink, thickness, slant, size, centre of mass
    typical    how far classes lie apart; typical and odd members of one
    tables     columns of numbers as comma-separated values
    projections  PCA, t-SNE, UMAP; nearest neighbours
    suspects   label errors: which labels a model that never saw them would not have given
    background  what takes longer than a page may: a process of its own, its result kept
Designs
    choices    what a design can be made of: tables, limits, a layer
    rules      what is impossible or unwise about a design, in plain sentences
    spec       what to train: the frozen RunSpec, its stack of layers and its URL form
    schedules  how the learning rate moves over a run
    estimate   how long a design will train on this host, and its memory: before it does
    lesson     what a teacher's link locks, hides and asks for
    recipes    named RunSpecs, each with its source and its published figure
    measured   what the recipes reach, beside plain Keras
    variations  what of a design a race or a sweep can vary
    export     the Keras script of a design, whole or step by step
    notebook   the same as a Jupyter notebook
    augment    training images distorted, in NumPy or in Keras by one formula
Training
    engine     RunSpec -> Keras model -> compiled chunks -> events; the only TensorFlow
    quiet      TensorFlow's start-up notes kept out of stderr
    loop       one run: its chunks, its epochs, what it is told and what it says
    descent    what is minimised, and by which rule: gradient descent, momentum, RMSprop, Adam
    numpy_training  RunSpec -> NumPy network -> mini-batches -> events: a training by hand
    control    a word with a running training: pause, step, stop, learning rate
    events     what a run says while it runs, and its form on the wire
    snapshots  what a network was on its way, for a run to be played again
    worker     what runs in a worker process: one training at a time
    service    jobs on the cluster: submit, watch, control
    dispatcher the service's thread: the queue, and what becomes of each job
    evaluations  test sets to be answered and model files to be made: asked for, waiting, done
    calls      small jobs for a worker: asked for by name, soon over
    cluster    the Dask side of the service: scheduler, worker process, calls
    runs       run records (SQLite), crash-safe
    database   their file: tables, connections, what can be amiss with it
    shelf      what owners do with runs: name, note, star, delete and have back
    groups     runs that belong together: a race or a sweep
    artifacts  what a run leaves in files: checkpoint, models, evaluation
    exports    what can be taken from an ended run, one table
    logs       its history as TensorBoard logs
    sheets     its charts on white paper, for files
    report     all of it as one page of HTML
    expiry     which runs are kept no longer
    sweeps     races and sweeps under way
    calibrate  how fast this machine trains: a few small designs, timed
    host       what this machine is, and what this process takes of it
Using a model
    network    the NumPy network: each forward beside its backward; runs any trained model
    descent    how a gradient becomes a step: SGD, momentum, RMSprop, Adam
    microscope backpropagation of one image, step by step, with the code that does it
    formulas   each of these steps in words, in LaTeX and with its own numbers
    tapes      what GradientTape says: of any network, and of a line
    gradients  gradients checked three ways: by hand, by tape, by finite differences
    models     model files: a design, its weights and what is known about them
    drawing    canvas or photo -> the 28x28 the model sees, stage by stage
    pictures   image files and arrays: what is taken, and what is refused
    paper      which pixels are ink: on even ground, in shadow, between ruled lines
    finder     several digits in one picture, in reading order
    cutter     digits that touch, cut apart
    normal     upright, and of one pen: two more ways to make digits alike
    why        why a model misread: steps, resembling images, what tips the balance
    teach      a copy of a model, taught the visitor's own hand
    evaluation how good a model is: scores, intervals, tests, calibration, ranking
    explain    what a trained model sees: activations, saliency, damage
    concepts   small ideas of the field as functions of their own
    surfaces   a loss with two weights, and the paths of descent on it
    overfitting  a short training, looked at after every epoch
    regression  a line through points: by gradient descent, and exactly
    sources    the source of a function, read from its file
    compare    runs side by side: settings that differ, final figures, curves
    race       a fair race: the same beginning, and a paired test that says who won
    sweep      a search over settings: what to try next, which of them matter
    charts     figures from plain data
    pixel_charts  charts of the pixel statistics, each with its reading and its numbers
    map_charts  those of the map, the components and the suspects
    score_charts  figures of how good a model is
    animations  charts that play in the browser
    concept_charts  those of single ideas
    descent_charts  those of descent on two weights
    run_charts  curves of several runs, what a race and a sweep have found
The command line (python -m mnist_core)
    __main__   fetch, recipes, train, predict, ablation, bench
    ablation   what each part of the default model's training is worth
    bench      the engine side by side with plain Keras, in one run
    bench_fit  plain Keras in a process of its own, for that
    bench_app  the app as a visitor meets it, timed in a browser
    screenshots  pictures of each page, light and dark, for the README
    bench_estimates  what the app predicts for a run, held against what it takes
"""
