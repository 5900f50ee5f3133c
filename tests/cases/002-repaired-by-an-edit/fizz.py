if True:
    print("Fizz")
