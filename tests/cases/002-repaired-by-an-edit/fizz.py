if True:
    print('Fizz')
