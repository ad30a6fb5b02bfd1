# Endless JSON events for the demo, about 100 a second; one in 300 is strange.
BEGIN {
    srand(7)
    for (number = 0; ; number++) {
        strange = rand() < 1 / 300
        printf "{\"number\": %d, \"latency_ms\": %.2f, \"bytes\": %d, \"route\": \"%s\"}\n",
            number, (strange ? 900 : 20) + 10 * rand(), (strange ? 9 : 1) * (400 + 100 * rand()),
            rand() < 0.8 ? "/read" : "/write"
        if (number % 20 == 19) {
            fflush()
            system("sleep 0.2")
        }
    }
}
